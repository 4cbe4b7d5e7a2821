"""Searching datasets in Chinese and English: CJK bigrams and words in an ordinary table.

The same table, and so the same set of results, on SQLite and PostgreSQL. Tokens only narrow down; each candidate's
folded text is then looked at, so that 武侯 finds 武侯区 and never a text that holds the two characters apart.
Pure but for :func:`index`, which writes the tokens of one dataset in the caller's transaction.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, delete, or_, select
from sqlalchemy.orm import Session

from opendata.catalog.models import Dataset, InformationItem, SearchDocument, SearchToken
from opendata.identity import Organization

CJK: Final = "㐀-䶿一-鿿豈-\ufaff\U00020000-\U0003ffff"
RUNS: Final = re.compile(rf"[{CJK}]+|[^\W{CJK}]+")
IS_CJK: Final = re.compile(rf"[{CJK}]")
TOKEN_LENGTH: Final = 64
QUERY_LENGTH: Final = 200
QUERY_TERMS: Final = 32

TITLE_WEIGHT: Final = 8
KEYWORD_WEIGHT: Final = 4
TEXT_WEIGHT: Final = 1


@dataclass(frozen=True, slots=True)
class Query:
    """A folded query: ``runs`` must each stand in the text, ``tokens`` find the candidates."""

    runs: tuple[str, ...]
    tokens: tuple[str, ...]
    prefixes: tuple[str, ...]

    def matches(self, folded: str) -> bool:
        """True if the text holds every run: characters anywhere, a word at the start of a word."""
        return all(_holds(folded, run) for run in self.runs)

    def conditions(self) -> list[ColumnElement[bool]]:
        """Conditions on ``Dataset`` that every match fulfils."""
        exact = [SearchToken.token == token for token in self.tokens]
        started = [SearchToken.token.startswith(prefix, autoescape=True) for prefix in self.prefixes]
        return [Dataset.id.in_(select(SearchToken.dataset_id).where(each)) for each in [*exact, *started]]

    def weighs(self) -> ColumnElement[bool]:
        """Condition on ``SearchToken`` rows that count towards the rank."""
        started = [SearchToken.token.startswith(prefix, autoescape=True) for prefix in self.prefixes]
        return or_(SearchToken.token.in_(self.tokens), *started)


def parse(query: str) -> Query:
    """Fold and cut a query; an over-long one is cut off, not refused.

    >>> parse("武侯区 2020").tokens
    ('武侯', '侯区')
    """
    runs = list(dict.fromkeys(RUNS.findall(fold(query[:QUERY_LENGTH]))))[:QUERY_TERMS]
    cjk = [run for run in runs if IS_CJK.match(run)]
    words = [run[:TOKEN_LENGTH] for run in runs if not IS_CJK.match(run)]
    tokens = [token for run in cjk for token in (_bigrams(run) or [run])]
    return Query(tuple(runs), tuple(dict.fromkeys(tokens))[:QUERY_TERMS], tuple(words))


def fold(text: str) -> str:
    """One form of a text: compatibility characters, case and width do not matter."""
    return unicodedata.normalize("NFKC", text).casefold()


def tokens_of(text: str) -> set[str]:
    """Characters and bigrams of CJK runs, and whole words, of a text."""
    tokens: set[str] = set()
    for run in RUNS.findall(fold(text)):
        if IS_CJK.match(run):
            tokens.update(run)
            tokens.update(_bigrams(run))
        else:
            tokens.add(run[:TOKEN_LENGTH])
    return tokens


def index(session: Session, dataset: Dataset, items: Sequence[InformationItem]) -> None:
    """Replace the dataset's tokens by those of its present words."""
    organization = session.get_one(Organization, dataset.organization_id)
    weighted = [
        (TITLE_WEIGHT, [dataset.title_zh, dataset.title_en, dataset.name]),
        (KEYWORD_WEIGHT, [*dataset.keywords, dataset.theme, organization.name_zh, organization.name_en]),
        (TEXT_WEIGHT, [dataset.summary_zh, dataset.summary_en, *_words(items)]),
    ]
    weights: Counter[str] = Counter()
    for weight, texts in weighted:
        for token in tokens_of("\n".join(texts)):
            weights[token] += weight
    remove(session, dataset)
    folded = fold("\n".join(text for _, texts in weighted for text in texts))
    session.add(SearchDocument(dataset_id=dataset.id, text=folded))
    session.add_all(SearchToken(dataset_id=dataset.id, token=token, weight=w) for token, w in weights.items())
    session.flush()


def remove(session: Session, dataset: Dataset) -> None:
    """Forget the dataset's tokens."""
    session.flush()
    session.execute(delete(SearchToken).where(SearchToken.dataset_id == dataset.id))
    session.execute(delete(SearchDocument).where(SearchDocument.dataset_id == dataset.id))


def _words(items: Iterable[InformationItem]) -> list[str]:
    return [word for item in items for word in (item.name, item.title_zh, item.title_en)]


def _bigrams(run: str) -> list[str]:
    return [run[n : n + 2] for n in range(len(run) - 1)]


def _holds(folded: str, run: str) -> bool:
    if IS_CJK.match(run):
        return run in folded
    return re.search(rf"(?<![^\W{CJK}]){re.escape(run)}", folded) is not None
