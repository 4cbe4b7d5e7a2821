"""The file JupyterHub reads when ``python -m sandbox.hub`` starts it; what it says is made by ``configuration``."""

from sandbox.hub.configuration import handed_over

get_config().merge(handed_over())  # type: ignore[name-defined]  # noqa: F821 - JupyterHub gives it to this file
