"""Errors of access: a refusal names its legal basis and the nearest door."""

from typing import Literal

from opendata.catalog.grades import Door
from opendata.catalog.texts import Text
from opendata.errors import ConflictError, DeniedError, InvalidInputError

Code = Literal["denied", "sign_in", "not_open", "preparing", "quota"]


class AccessDenied(DeniedError):
    """A door stays shut. Catch it at a door to answer a person.

    ``code``: sign_in, not_open, preparing, quota or denied; web alone turns it into an HTTP status.
    """

    def __init__(self, reason: Text, *, clause: Text, door: Door | None, code: Code = "denied") -> None:
        super().__init__(reason["zh"])
        self.reason = reason
        self.clause = clause
        self.door = door
        self.code: Code = code


class RequestDenied(DeniedError):
    """The person may not decide, end or use this application, grant or key."""

    def __init__(self, reason: Text) -> None:
        super().__init__(reason["zh"])
        self.reason = reason


class RequestConflict(ConflictError):
    """The application or grant is not in a state where this can be done."""

    def __init__(self, reason: Text) -> None:
        super().__init__(reason["zh"])
        self.reason = reason


class InvalidRequest(InvalidInputError):
    """A field of the application is missing or out of range; the applicant must change it."""

    def __init__(self, field: str, reason: Text) -> None:
        super().__init__(reason["zh"])
        self.field = field
        self.reason = reason
