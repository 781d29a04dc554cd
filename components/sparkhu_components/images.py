"""Images that the components run in."""

from importlib.metadata import version

STEPS = f"sparkhu/steps-python:{version('sparkhu-components')}"
