"""Errors of access: a refusal names its legal basis and the nearest door."""

from opendata.catalog.grades import Door
from opendata.catalog.texts import Text


class AccessDenied(Exception):
    """A door stays shut. Catch it at a door to answer a person.

    ``code``: sign_in (401), not_found (404), quota (429), wait (409), denied (403); the status is decided in web.
    """

    def __init__(self, reason: Text, *, clause: Text, door: Door | None, code: str = "denied") -> None:
        super().__init__(reason["zh"])
        self.reason = reason
        self.clause = clause
        self.door = door
        self.code = code


class RequestError(Exception):
    """An application, decision, grant or key cannot be made so; the person must change something."""

    def __init__(self, reason: Text) -> None:
        super().__init__(reason["zh"])
        self.reason = reason
