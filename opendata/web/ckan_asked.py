"""What a client of CKAN asks: who it is, its parameters, and its query as words and terms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fastapi import Request
from sqlalchemy.orm import Session

from opendata.identity import Actor
from opendata.settings import Settings
from opendata.web.rows import MAX_OFFSET

Parameters = Mapping[str, Any]

_TERM = re.compile(r'^(\w+):(?:"([^"]*)"|(\S+))$')


class ActionError(Exception):
    """An answer in CKAN's own error form."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status, self.kind, self.message = status, kind, message


class Caller:
    """Who asks, and the tools an action needs."""

    def __init__(self, request: Request, session: Session, actor: Actor | None) -> None:
        self.request, self.session, self.actor = request, session, actor
        self.settings: Settings = request.app.state.settings


def query_of(parameters: Parameters) -> tuple[str, list[tuple[str, str]]]:
    """Words and ``field:value`` terms of ``q`` and ``fq``; ``*:*`` is everything."""
    words: list[str] = []
    terms: list[tuple[str, str]] = []
    given = [str(parameters.get("q") or ""), str(parameters.get("fq") or "")]
    given += (
        [str(item) for item in parameters.get("fq_list") or []] if isinstance(parameters.get("fq_list"), list) else []
    )
    for text in given:
        for token in re.findall(r'\w+:"[^"]*"|\S+', text):
            match = _TERM.match(token.lstrip("+"))
            if token in {"*:*", "AND", "and"}:
                continue
            if match:
                terms.append((match[1], match[2] if match[2] is not None else match[3]))
            elif any(mark in token for mark in "[]{}()") or token in {"OR", "NOT"}:
                raise ActionError(409, "Search Query Error", "this query syntax is not supported")
            else:
                words.append(token.strip('"'))
    return " ".join(words), terms


def required(parameters: Parameters, name: str) -> str:
    """A parameter that has to be given."""
    value = parameters.get(name)
    if not isinstance(value, str) or not value:
        raise ActionError(409, "Validation Error", f"{name}: Missing value")
    return value


def integer(parameters: Parameters, name: str, default: int, most: int) -> int:
    """A whole number from 0, at most ``most``."""
    value = parameters.get(name)
    if value is None or value == "":
        return default
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise ActionError(409, "Validation Error", f"{name}: Invalid integer") from None
    if number < 0:
        raise ActionError(409, "Validation Error", f"{name}: Must be a natural number")
    return min(number, most)


def page_of(items: list[Any], parameters: Parameters) -> list[Any]:
    """The part of a list that ``offset`` and ``limit`` name."""
    offset = integer(parameters, "offset", 0, MAX_OFFSET)
    limit = integer(parameters, "limit", len(items) or 1, MAX_OFFSET)
    return items[offset : offset + limit]
