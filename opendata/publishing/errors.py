"""Errors of the publishing chain. Each carries its reason in both languages."""

from opendata.catalog.texts import Text
from opendata.errors import ConflictError, DeniedError, InvalidInputError, OpenDataError


class PublishingError(OpenDataError):
    """Base of the chain's errors; catch it at an edge only. ``reason`` is the sentence in both languages."""

    reason: Text
    clause: Text | None = None


class PublishingDenied(PublishingError, DeniedError):
    """The person may not do this. ``clause`` names the rule where one stands behind it."""

    def __init__(self, reason: Text, *, clause: Text | None = None) -> None:
        super().__init__(reason["zh"])
        self.reason = reason
        self.clause = clause


class WrongState(PublishingError, ConflictError):
    """The edition or intake is not in a state where this can be done."""

    def __init__(self, reason: Text) -> None:
        super().__init__(reason["zh"])
        self.reason = reason


class InvalidSubmission(PublishingError, InvalidInputError):
    """An answer, a note or an opinion is missing; the person must complete it."""

    def __init__(self, reason: Text) -> None:
        super().__init__(reason["zh"])
        self.reason = reason


class PublicationRefused(PublishingError, ConflictError):
    """The edition may not be published as it is; its officer must change policy, class or intake."""

    def __init__(self, reason: Text, *, clause: Text | None = None) -> None:
        super().__init__(reason["zh"])
        self.reason = reason
        self.clause = clause


class ReceiptInvalid(PublishingError, InvalidInputError):
    """A receipt is not one of ours, was changed, or was signed by another key."""

    def __init__(self, reason: Text) -> None:
        super().__init__(reason["zh"])
        self.reason = reason
