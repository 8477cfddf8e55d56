"""`python -m bellwire`: the same as the command."""

from bellwire.cli import main

main()
