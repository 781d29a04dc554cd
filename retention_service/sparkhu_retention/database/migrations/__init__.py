"""How the tables came to be, a step a version; Alembic walks them when a database is opened."""
