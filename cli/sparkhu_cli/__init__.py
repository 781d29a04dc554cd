"""The `sparkhu` command."""
