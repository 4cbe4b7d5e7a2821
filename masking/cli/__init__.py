"""The ``masking`` command: from what a table holds, over plans and policies, to masked tables, cells and reports.

Exit codes: 0 done, 1 refused or failed (one sentence on standard error, never a cell value), 2 wrong usage.
"""

import sys


def main() -> None:
    """Run the command line; the entry point of the package."""
    from masking.cli.commands import app
    from masking.cli.show import complain
    from masking.errors import MaskingError

    try:
        app()
    except MaskingError as error:
        complain(str(error))
        sys.exit(1)
    except OSError as error:
        complain(f"{error.filename or ''}: {error.strerror or type(error).__name__}".lstrip(": "))
        sys.exit(1)
    except Exception as error:  # noqa: BLE001
        complain(f"internal error ({type(error).__name__}); nothing was written")
        sys.exit(1)
    except KeyboardInterrupt:
        complain("stopped; nothing was written")
        sys.exit(1)
