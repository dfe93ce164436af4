"""`python -m chirrup`: the command."""

from chirrup.cli import main

main()
