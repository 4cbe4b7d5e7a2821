"""
Errors of the masking library, by whose fault they are and what to do next.

Messages name attributes, parameters, techniques, line numbers and counts. They never hold a cell value, a key or a
token: they travel to logs, job tables and screens of people who may not see the table.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Self


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean …?"`` for the known word nearest to ``name``, or nothing."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


class MaskingError(Exception):
    """Base of every error of this library. Catch it at the edge: nothing half-written is visible."""

    message_is_safe = True  # messages hold no cell value and no key, so a service may show them as they are


class PolicyError(MaskingError):
    """
    The policy is wrong; its author must change it. Never raised for data.

    ``line`` and ``column`` point into the policy's text (from 1) where they are known.
    """

    def __init__(self, message: str, *, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message)
        self.line = line
        self.column = column

    def at(self, line: int | None, column: int | None = None) -> Self:
        """Point into the policy's text, unless the error already does."""
        if self.line is None:
            self.line, self.column = line, column
        return self

    def __str__(self) -> str:
        message = super().__str__()
        if self.line is None:
            return message
        if self.column is None:
            return f"line {self.line}: {message}"
        return f"line {self.line}, column {self.column}: {message}"


class UnknownAttribute(PolicyError):
    """The policy and the table do not name the same columns; raised before a record is read."""

    @classmethod
    def from_missing(cls, missing: Iterable[str], known: Iterable[str]) -> Self:
        """The policy names attributes that the table does not have."""
        return cls(f"the policy names {sorted(missing)}, the table has {sorted(known)}")

    @classmethod
    def from_unnamed(cls, unnamed: Iterable[str]) -> Self:
        """The table has columns that the policy does not name: unnamed means error, never keep."""
        return cls(f"the table has {sorted(unnamed)}, the policy does not name them; give each a role and a technique")


class UnknownTechnique(PolicyError):
    """The policy names a technique that does not exist."""

    @classmethod
    def from_name(cls, name: str, known: Iterable[str]) -> Self:
        """Name the nearest registered technique."""
        known = sorted(known)
        return cls(f"there is no technique {name!r}{suggestion(name, known)}; known: {known}")


class InvalidParameter(PolicyError):
    """A parameter of a technique is missing, unknown, of the wrong type or outside its interval."""

    def __init__(
        self,
        message: str,
        *,
        parameter: str | None = None,
        attribute: str | None = None,
        line: int | None = None,
        column: int | None = None,
    ) -> None:
        super().__init__(message, line=line, column=column)
        self.parameter = parameter
        self.attribute = attribute

    def of(self, attribute: str) -> Self:
        """Name the attribute whose rule is wrong, unless the error already does."""
        if self.attribute is None:
            self.attribute = attribute
        return self

    def __str__(self) -> str:
        message = super().__str__()
        return message if self.attribute is None else f"attribute {self.attribute!r}: {message}"


class UnkeyedToken(PolicyError):
    """
    A technique that needs a key was given no key name: an unkeyed token of a phone number is undone by trying all
    numbers.
    """

    @classmethod
    def from_attribute(cls, attribute: str, technique: str) -> Self:
        """Say which rule lacks its ``key``."""
        return cls(f"attribute {attribute!r}: {technique} needs `key: <name of a key>`")


class DataError(MaskingError):
    """The table is not what the policy expects; correct the data or the policy."""


class UnsupportedColumn(DataError):
    """A technique cannot work on a column of this type."""

    def __init__(self, message: str, *, attribute: str | None = None) -> None:
        super().__init__(message)
        self.attribute = attribute

    def of(self, attribute: str) -> Self:
        """Name the attribute, unless the error already does."""
        if self.attribute is None:
            self.attribute = attribute
        return self

    def __str__(self) -> str:
        message = super().__str__()
        return message if self.attribute is None else f"attribute {self.attribute!r}: {message}"


class InvalidValue(DataError):
    """Values outside the format that the rule declares; says how many and in which records (from 0)."""

    def __init__(
        self, message: str, *, attribute: str | None = None, count: int = 0, first_rows: Sequence[int] = ()
    ) -> None:
        super().__init__(message)
        self.reason = message
        self.attribute = attribute
        self.count = count
        self.first_rows = tuple(first_rows)

    def of(self, attribute: str) -> Self:
        """Name the attribute, unless the error already does."""
        if self.attribute is None:
            self.attribute = attribute
        return self

    def after(self, rows: int) -> Self:
        """Count records from the start of the table, ``rows`` of which came in earlier batches."""
        self.first_rows = tuple(row + rows for row in self.first_rows)
        return self

    def __str__(self) -> str:
        message = f"{self.count} value(s) refused: {self.reason}"
        if self.first_rows:
            message = f"{self.count} value(s) refused, first in records {list(self.first_rows)}: {self.reason}"
        return message if self.attribute is None else f"attribute {self.attribute!r}: {message}"


class BadFile(DataError):
    """A file cannot be read as a table; ``line`` (from 1) says where, its text is never quoted."""

    def __init__(self, message: str, *, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line

    def __str__(self) -> str:
        message = super().__str__()
        return message if self.line is None else f"line {self.line}: {message}"


class KeyMissing(MaskingError):
    """A key that the policy names was not given, or is not fit to be one."""

    @classmethod
    def from_name(cls, name: str) -> Self:
        """Name the key, never its bytes nor the other keys."""
        return cls(f"the key {name!r} was not given")


class LimitsNotMet(MaskingError):
    """The masked table breaks the policy's limits; nothing was written. Holds figures only."""

    def __init__(
        self,
        message: str,
        *,
        limits: Mapping[str, float] | None = None,
        measured: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(message)
        self.limits = dict(limits or {})
        self.measured = dict(measured or {})


class Cancelled(MaskingError):
    """The caller asked a run to stop; nothing was written."""


class WorkerLost(MaskingError):
    """A process that masked a part of the table died (killed, out of memory); nothing was written, run it again."""
