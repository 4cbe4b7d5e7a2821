"""The library's English sentences in Chinese, for pages that people read.

Errors are raised in one language, where they arise; whoever shows them asks here. ``messages_zh.json`` holds for each
sentence of the source, with ``{}`` for what is filled in, its Chinese with ``{0}``, ``{1}`` … for the same. A test
compares it with the sentences that the source says, so none is missing and none is left over.
"""

import functools
import json
import re
from importlib import resources
from typing import Final, NamedTuple

LONGEST: Final = 20_000
"""Characters of a sentence that is looked up; names that somebody typed can make it any length."""
DEEPEST: Final = 6
"""Sentences inside sentences: line, attribute, count, reason, hint, word."""
_HOLES: Final = re.compile(r"(\{\}\{\}|\{\})")
_FILLED: Final = re.compile(r"\{(\d+)\}")


class _Template(NamedTuple):
    words: tuple[str, ...]
    """What stands before, between and behind the holes."""
    hints: tuple[bool, ...]
    """For each hole whether a second one follows at once, for nothing or a hint that begins with a semicolon."""
    chinese: str

    def parts(self, sentence: str) -> list[str] | None:
        """What the sentence has in the holes, each as short as can be; None if it is another sentence."""
        first, last = self.words[0], self.words[-1]
        if not (sentence.startswith(first) and sentence.endswith(last)):
            return None
        if not self.hints:
            return [] if sentence == first else None
        found = []
        at, end = len(first), len(sentence) - len(last)
        for words in self.words[1:-1]:
            to = sentence.find(words, at, end)
            if to < 0:
                return None
            found.append(sentence[at:to])
            at = to + len(words)
        if end < at:
            return None
        found.append(sentence[at:end])
        return [part for whole, hint in zip(found, self.hints, strict=True) for part in _with_hint(whole, hint)]


def in_chinese(sentence: str) -> str:
    """The Chinese of a sentence that this library made; one that it did not make comes back as it is.

    What is filled in (names, counts) stays; a filled-in part that is itself a known sentence is translated too.

    >>> in_chinese("there is no such file")
    '没有这个文件'
    """
    return _translated(sentence, DEEPEST) if len(sentence) <= LONGEST else sentence


def catalogue() -> dict[str, str]:
    """English sentence, with ``{}`` for each filled-in part, to Chinese."""
    text = resources.files("masking").joinpath("messages_zh.json").read_text(encoding="utf-8")
    known: dict[str, str] = json.loads(text)
    return known


def _translated(sentence: str, depth: int) -> str:
    if sentence and depth:
        for template in _templates():
            parts = template.parts(sentence)
            if parts is not None:
                return template.chinese.format(*(_translated(part, depth - 1) for part in parts))
    return sentence


@functools.lru_cache(maxsize=1)
def _templates() -> tuple[_Template, ...]:
    """The most particular is tried first: what begins with words before what begins with a name, then the longest.

    A phrase that begins with a semicolon stands behind others ("…; did you mean …?").
    """
    known = []
    for english, chinese in catalogue().items():
        if english.startswith(";"):
            moved = _FILLED.sub(lambda found: f"{{{int(found[1]) + 1}}}", chinese)
            known.append((f"{{}}{english}", f"{{0}}{moved}"))
        else:
            known.append((english, chinese))
    known.sort(key=lambda each: (each[0].startswith("{}"), -len(_HOLES.sub("", each[0]))))
    return tuple(
        _Template(tuple(pieces[::2]), tuple(hole == "{}{}" for hole in pieces[1::2]), chinese)
        for english, chinese in known
        if (pieces := _HOLES.split(english))
    )


def _with_hint(part: str, hint: bool) -> tuple[str, ...]:
    if not hint:
        return (part,)
    name, semicolon, rest = part.partition("; ")
    return name, semicolon + rest
