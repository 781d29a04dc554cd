"""Images that the components run in: all of one version, which is that of the code that they are declared by."""

from importlib.metadata import version

VERSION = version("sparkhu-components")

STEPS = f"sparkhu/steps:{VERSION}"
"""What prepares, describes, stores and publishes observations."""
TRAINING = f"sparkhu/training:{VERSION}"
"""What trains, judges and registers models, and forecasts with them: the steps, MLflow, and what models are made of."""
