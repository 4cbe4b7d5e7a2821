"""The pledge (承诺书) that every member signs by name before first entry: text as data, with version and digest.

The ledger records the digest of version and text, so that later it can be shown what exactly a person agreed to.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self

import yaml

from sandbox.workspaces.errors import WorkspaceInvalid

TEXT = Path(__file__).with_name("pledge.yaml")


@dataclass(frozen=True, slots=True)
class Pledge:
    """One version of the text. ``digest`` is the SHA-256 of version and text in canonical JSON."""

    version: int
    title: dict[str, str]
    points: tuple[dict[str, str], ...]

    @classmethod
    def load(cls, path: Path = TEXT) -> Self:
        """Read the YAML. Raises WorkspaceInvalid when a language or the version is missing."""
        given = yaml.safe_load(path.read_text("utf-8"))
        try:
            version, title, points = given["version"], _words(given["title"]), tuple(map(_words, given["points"]))
        except (KeyError, TypeError, ValueError):
            raise WorkspaceInvalid("承诺书文件不完整 · the pledge file is incomplete") from None
        if type(version) is not int or version < 1 or not points:
            raise WorkspaceInvalid("承诺书文件不完整 · the pledge file is incomplete")
        return cls(version, title, points)

    @property
    def digest(self) -> str:
        """What the ledger records of the text."""
        text = json.dumps([self.version, self.title, self.points], ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """For the API and pages."""
        return {"version": self.version, "title": self.title, "points": list(self.points), "sha256": self.digest}


@cache
def current_pledge() -> Pledge:
    """The version to sign now."""
    return Pledge.load()


def check_signature(pledge: Pledge, *, version: int, name: str, own_name: str) -> None:
    """Raise unless ``name`` is the signer's own and ``version`` the text that was read."""
    for fault in signature_faults(pledge, version=version, name=name, own_name=own_name).values():
        raise WorkspaceInvalid(fault)


def signature_faults(pledge: Pledge, *, version: int, name: str, own_name: str) -> dict[str, str]:
    """What is wrong with a signature, as a field of a form; nothing if it is good."""
    if version != pledge.version:
        said = f"承诺书已更新到第 {pledge.version} 版，请重新阅读 · the pledge is now version {pledge.version}, read it"
        return {"pledge_name": said}
    if not name.strip() or "".join(name.split()) != "".join(own_name.split()):
        said = "请用账号上的本人姓名签署承诺书 · sign the pledge with your own name as in your account"
        return {"pledge_name": said}
    return {}


def _words(value: Any) -> dict[str, str]:
    words = {"zh": value["zh"], "en": value["en"]}
    if not all(isinstance(text, str) and text.strip() for text in words.values()):
        raise ValueError("zh, en")
    return words
