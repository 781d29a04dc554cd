"""`python -m sparkhu_cli`: the command, where `sparkhu` is not on the path."""

from sparkhu_cli.main import main

main()
