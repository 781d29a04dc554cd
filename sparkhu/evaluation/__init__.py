"""Evaluation: metrics, the backtest over windows, conformal intervals, the champion."""
