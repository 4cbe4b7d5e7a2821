"""Errors of the catalogue. Each carries its reason in both languages."""

from opendata.catalog.texts import Text, text
from opendata.errors import ConfigurationError, DeniedError, InvalidInputError, NotFoundError, OpenDataError


class CatalogError(OpenDataError):
    """Base of the catalogue's errors; catch it at an edge only. ``reason`` is the sentence in both languages."""

    reason: Text


class DatasetNotFound(CatalogError, NotFoundError):
    """There is no such dataset *for this viewer*; a hidden one gives the very same answer."""

    def __init__(self) -> None:
        self.reason = text("没有这个数据集。", "There is no such dataset.")
        super().__init__(self.reason["zh"])


class CatalogDenied(CatalogError, DeniedError):
    """The person may not do this to the catalogue."""

    def __init__(self, reason: Text) -> None:
        super().__init__(reason["zh"])
        self.reason = reason


class InvalidEntry(CatalogError, InvalidInputError):
    """A field of the entry is missing or wrong; its author must change it. ``field`` names it."""

    def __init__(self, field: str, reason: Text) -> None:
        super().__init__(reason["zh"])
        self.field = field
        self.reason = reason


class InvalidGrades(ConfigurationError):
    """The table of grades is wrong, or a city's file loosens it; the service must not start."""

    def __init__(self, reason: Text) -> None:
        super().__init__(reason["zh"])
        self.reason = reason
