"""The `opendata` command. Heavy imports happen in the command that needs them."""

from opendata.cli.main import main

__all__ = ["main"]
