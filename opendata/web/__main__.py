"""The web process: ``python -m opendata.web --home H``."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path


def main() -> None:
    """Serve the application on the settings' host and port until told to stop."""
    import uvicorn

    from opendata.parts import resolve
    from opendata.settings import Settings

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    settings = Settings.load(parser.parse_args().home)
    logging.basicConfig(level=logging.INFO)
    # No access log: addresses of pages may hold a one-time link's secret or a search of a person.
    uvicorn.run(
        resolve("opendata.app:create_app")(settings),  # by name: the application stands above this package
        host=settings.host,
        port=settings.port,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=10,
    )


if __name__ == "__main__":
    main()
