"""Errors of the catalogue."""

from opendata.catalog.texts import Text


class CatalogError(Exception):
    """Base of the catalogue's errors; catch it at a door to answer a person."""

    def __init__(self, reason: Text) -> None:
        super().__init__(reason["zh"])
        self.reason: Text = reason


class DatasetNotFound(CatalogError):
    """There is no such dataset *for this viewer*; a hidden one gives the very same answer."""

    def __init__(self) -> None:
        super().__init__({"zh": "没有这个数据集。", "en": "There is no such dataset."})


class CatalogDenied(CatalogError):
    """This person may not do this to the catalogue."""


class InvalidEntry(CatalogError):
    """A field of the entry is missing or wrong; its author must change it."""


class InvalidGrades(CatalogError):
    """The table of grades is wrong, or a city's file loosens it; the service must not start."""
