"""Errors of the publishing chain."""

from opendata.catalog.texts import Text


class PublishingError(Exception):
    """Base of the publishing chain's errors; catch it at a door to answer a person."""

    def __init__(self, reason: Text, *, clause: Text | None = None) -> None:
        super().__init__(reason["zh"])
        self.reason = reason
        self.clause = clause


class PublishingDenied(PublishingError):
    """This person may not do this, or not now."""


class PublicationRefused(PublishingError):
    """The edition may not be published as it is; its officer must change policy, class or intake."""
