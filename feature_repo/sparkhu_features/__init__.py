"""The feature store: Feast over the tables of a lake."""

import os

# Feast's usage statistics are not sent. The variable must stand before Feast is first imported.
os.environ.setdefault("FEAST_USAGE", "False")
