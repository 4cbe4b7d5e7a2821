"""The library's English sentences in Chinese, for pages that people read.

Errors are raised in one language, where they arise; whoever shows them asks here. ``messages_zh.json`` holds for each
sentence of the source, with ``{}`` for what is filled in, its Chinese with ``{0}``, ``{1}`` … for the same. A test
compares it with the sentences that the source raises, so none is missing and none is left over.
"""

import functools
import json
import re
from importlib import resources
from typing import Final

_HOLE: Final = re.compile(r"\{\}")
_FILLED: Final = re.compile(r"\{(\d+)\}")


def in_chinese(sentence: str) -> str:
    """The Chinese of a sentence that this library made; one that it did not make comes back as it is.

    What is filled in (names, counts) stays; a filled-in part that is itself a known sentence is translated too.

    >>> in_chinese("there is no such file")
    '没有这个文件'
    """
    if not sentence:
        return sentence
    for pattern, chinese in _patterns():
        found = pattern.fullmatch(sentence)
        if found is not None:
            return chinese.format(*(in_chinese(part or "") for part in found.groups()))
    return sentence


def catalogue() -> dict[str, str]:
    """English sentence, with ``{}`` for each filled-in part, to Chinese."""
    text = resources.files("masking").joinpath("messages_zh.json").read_text(encoding="utf-8")
    known: dict[str, str] = json.loads(text)
    return known


@functools.lru_cache(maxsize=1)
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
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
    known.sort(key=lambda each: (each[0].startswith("{}"), -len(_HOLE.sub("", each[0]))))
    return tuple((re.compile(_expression(english), re.DOTALL), chinese) for english, chinese in known)


def _expression(english: str) -> str:
    """What is filled in right behind a name is nothing or a hint, which begins with a semicolon."""
    first, *others = _HOLE.split(english)
    made = re.escape(first)
    for at, words in enumerate(others):
        made += ("((?:; .*?)?)" if at and not others[at - 1] else "(.*?)") + re.escape(words)
    return made
