"""Forecasters behind one small interface, stored without pickle."""
