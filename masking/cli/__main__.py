"""``python -m masking.cli``."""

from masking.cli import main

main()
