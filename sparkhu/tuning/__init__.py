"""Tuning: a Katib experiment, run by Katib or right here."""
