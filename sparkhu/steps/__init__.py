"""The preprocessing steps: pure functions, one module a step, frame in and frame out."""
