"""Neural forecasters: what can be set of each, their modules in torch, and the forecaster around a module."""
