"""Every sentence of the sandbox's pages has its English, with the same values in it."""

from __future__ import annotations

import re
from pathlib import Path

from jinja2 import Environment
from jinja2.ext import extract_from_ast

from opendata.web.rendering import HERE, Texts
from sandbox.parts import PART
from sandbox.web import timeline
from sandbox.web.workspace_acts import DONE

WEB = Path(timeline.__file__).parent


def messages() -> set[str]:
    """What templates say, and what code hands to them to be said."""
    found = {item.label_zh for item in PART.navigation} | {label for _, label in timeline.STEPS} | set(DONE.values())
    for path in (WEB / "templates").rglob("*.html"):
        for _, _, message in extract_from_ast(Environment().parse(path.read_text("utf-8")), ("_",)):
            first = message if isinstance(message, str) else message[0] if message else None
            found |= {first} if first else set()
    return found


def test_every_message_is_translated_with_the_same_values():
    english = Texts([HERE / "locale", WEB / "locale"]).english
    assert sorted(messages() - english.keys()) == []
    placeholders = re.compile(r"%\(\w+\)s")
    for message in messages():
        assert sorted(placeholders.findall(message)) == sorted(placeholders.findall(english[message])), message
