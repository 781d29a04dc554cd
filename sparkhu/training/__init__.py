"""Training: groups of series, parts of their windows, Gram matrices, the ridge."""
