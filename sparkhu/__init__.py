"""Sparkhu: preprocessing, forecasting and data care for thousands of time series."""
