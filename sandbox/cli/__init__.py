"""The ``sandbox`` command: run commands in a jail, submit notebooks, check and verify outputs."""

from sandbox.cli.main import main

__all__ = ["main"]
