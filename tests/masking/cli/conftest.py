"""Runs the command line in this process, as people run it."""

from __future__ import annotations

import sys

import pytest

from masking import cli


@pytest.fixture
def run(monkeypatch, capsys):
    """``run("measure", path, …)``: exit code, standard output, standard error."""

    def run_(*arguments):
        monkeypatch.setattr(sys, "argv", ["masking", *map(str, arguments)])
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = stop.code or 0
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run_
