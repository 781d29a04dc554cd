"""Stages join storage and mathematics where a step is no plain map over shards: they open, call, and write."""
