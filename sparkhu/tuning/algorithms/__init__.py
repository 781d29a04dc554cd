"""Algorithms that suggest what to try next, each by the name that Katib gives it."""
