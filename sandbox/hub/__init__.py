"""JupyterHub, told how to be a sandbox: single sign-on, sessions in jails, one gate a session.

The hub touches what user code says, so it holds no database of the service and imports none of it. It asks the web
process over loopback HTTP, the launcher over a unix socket, and each session reaches it through that session's gate
only. Start it with ``python -m sandbox.hub --home H --run R``.
"""
