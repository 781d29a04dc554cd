"""What would be done and what is held back by what, before anything happens."""
