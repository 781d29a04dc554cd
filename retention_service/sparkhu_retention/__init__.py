"""Sparkhu's data retention: policies say what is archived and removed, lineage says what must stay."""
