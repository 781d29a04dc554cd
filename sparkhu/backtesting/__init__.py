"""Backtests: what models would have forecast from moments in the past, scored on what was observed later."""
