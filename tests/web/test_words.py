"""Every sentence of the portal has its English."""

import ast
import re
from pathlib import Path

from jinja2 import Environment
from jinja2.ext import extract_from_ast

from opendata.app import PART
from opendata.web.rendering import Texts
from opendata.web.words import EVENTS

WEB = Path(__file__).resolve().parents[2] / "opendata" / "web"


def messages() -> set[str]:
    found = {item.label_zh for item in PART.navigation}
    for path in (WEB / "templates").rglob("*.html"):
        for _, _, message in extract_from_ast(Environment().parse(path.read_text("utf-8")), ("_",)):
            first = message if isinstance(message, str) else message[0] if message else None
            found |= {first} if first else set()
    for path in WEB.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "gettext" and len(node.args) > 1:
                found.add(node.args[1].value)
    return found


def test_every_message_is_translated_with_the_same_values():
    english = Texts([WEB / "locale"]).english
    assert sorted(messages() - english.keys()) == []
    placeholders = re.compile(r"%\(\w+\)s")
    for message in messages():
        assert sorted(placeholders.findall(message)) == sorted(placeholders.findall(english[message])), message


def test_no_translation_is_left_over():
    assert sorted(Texts([WEB / "locale"]).english.keys() - messages()) == []


def test_the_reader_chooses(portal):
    client = portal.client()
    assert 'lang="en"' in client.get("/", headers={"Accept-Language": "en-GB,en;q=0.9"}).text
    assert 'lang="zh-CN"' in client.get("/").text
    answer = client.get("/lang/en?next=/about")
    assert answer.headers["location"] == "/about"
    assert '<html lang="en"' in client.get("/about", headers={"Accept-Language": "zh-CN"}).text


def test_every_event_has_words():
    """Whatever is written to the ledger is shown in the reader's language; found as literals of the event grammar."""
    grammar = re.compile(r"(?:identity|catalog|access|publishing|rawdoor|ledger|sandbox|airlock):[a-z_]+:[a-z_]+")
    literals = {
        node.value
        for package in (WEB.parent, WEB.parent.parent / "sandbox")
        for path in package.rglob("*.py")
        if "node_modules" not in path.parts
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and grammar.fullmatch(node.value)
    }
    assert len(literals) > 60
    assert sorted(literals - EVENTS.keys()) == []
