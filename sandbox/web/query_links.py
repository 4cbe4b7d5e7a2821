"""The address of a question: the same words for the page, the API and the client, so that a link can be passed on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import urlencode

from sandbox.queries.rules import COUNT


def named(words: Iterable[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """A name for each measure: ``n`` for a count, ``cost_mean`` for ``cost:mean``, never that of a dimension."""
    used, names = set(taken), {}
    for each in dict.fromkeys(words):
        name = "n" if each == COUNT else each.replace(":", "_")
        while name in used or f"{name}_error" in used:
            name += "_"
        names[name] = each
        used |= {name, f"{name}_error"}
    return names


def said(words: str | Mapping[str, str]) -> str:
    """``cost:mean`` of ``{"mean": "cost"}``; ``cost:mean`` and ``c=cost:mean`` as they are, without the name."""
    if isinstance(words, str):
        return words.rpartition("=")[2]
    return ":".join(f"{column}:{kind}" for kind, column in words.items())


def query_string(by: Sequence[str], measures: Mapping[str, str]) -> str:
    """``by=sex&measures=n=count``; a name that the API would choose itself is left out."""
    usual = named(measures.values())
    shown = [words if usual.get(name) == words else f"{name}={words}" for name, words in measures.items()]
    return urlencode([*(("by", each) for each in by), *(("measures", each) for each in shown)], safe=":=")


def page_path(dataset: str, by: Sequence[str], measures: Mapping[str, str]) -> str:
    """The page that shows this table."""
    return f"/dataset/{dataset}/tables?{query_string(by, measures)}"


def api_path(dataset: str, by: Sequence[str], measures: Mapping[str, str]) -> str:
    """The API's answer with this table."""
    return f"/api/v1/datasets/{dataset}/tables/query?{query_string(by, measures)}"
