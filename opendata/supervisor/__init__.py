"""Starts the other processes under their own users and keeps them running. Holds no database and no socket."""
