"""What a demonstration step gets: people's clients, a report of at most forty lines, and refused cheats."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opendata.cli.client import Client, Refused
from opendata.errors import JobFailed, OpenDataError
from opendata.settings import Settings

MOST_LINES = 40


@dataclass(slots=True)
class Line:
    """One line of the report; a step fills it while it runs."""

    step: str
    made: str = ""
    where: str = ""
    risk: str = ""
    seconds: float = 0.0
    refused: bool = False


class CheatSucceeded(OpenDataError):
    """Something that must be refused was not. The demonstration fails."""


@dataclass(slots=True)
class Demo:
    """Steps share this. ``made`` holds what later steps and the tour need, by name."""

    settings: Settings
    language: str
    secrets: Mapping[str, str] = field(repr=False)
    lines: list[Line] = field(default_factory=list)
    made: dict[str, Any] = field(default_factory=dict)
    _clients: dict[str, Client] = field(default_factory=dict, repr=False)
    _opened: list[Client] = field(default_factory=list, repr=False)

    def client(self, username: str | None = None, **options: str) -> Client:
        """A client that speaks for the person; anonymous without one."""
        if username in self._clients:
            return self._clients[username]
        url, language = self.settings.public_url, self.language
        if username is None:
            made = Client(url, language=language, **options)
        else:
            made = self._clients[username] = Client.signed_in(url, self.secrets[username], language=language)
        self._opened.append(made)
        return made

    def close(self) -> None:
        """Close what every client holds open."""
        while self._opened:
            self._opened.pop().close()
        self._clients.clear()

    def text(self, zh: str, en: str) -> str:
        """The words in the language of this run."""
        return en if self.language == "en" else zh

    @contextmanager
    def step(self, zh: str, en: str) -> Iterator[Line]:
        """Time a step and print its line when it is done."""
        line = Line(self.text(zh, en))
        start = time.monotonic()
        yield line
        line.seconds = time.monotonic() - start
        self.lines.append(line)
        self._print(line)

    def refused(self, zh: str, en: str, cheat: Callable[[], object]) -> None:
        """Try a cheat; print who refused it.

        Raises:
            CheatSucceeded: nobody did.
        """
        with self.step(zh, en) as line:
            try:
                answer = cheat()
            except (Refused, JobFailed) as refusal:
                line.refused = True
                line.made = shortened(str(refusal), 96)
                return
            raise CheatSucceeded(f"{line.step}: {answer!r:.80}")

    def _print(self, line: Line) -> None:
        if len(self.lines) > MOST_LINES:
            raise OpenDataError(f"演示超过 {MOST_LINES} 行（the report is longer than {MOST_LINES} lines）")
        mark = "✗" if line.refused else "✓"
        parts = [f"{mark} {line.step}", line.made, line.risk, line.where, f"{line.seconds:.1f} s"]
        print(" · ".join(part for part in parts if part), flush=True)


def shortened(text: str, most: int) -> str:
    """At most ``most`` characters, one line."""
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"


def count(number: int) -> str:
    """A number with thousands separated."""
    return f"{number:,}"


def relative(path: Path) -> str:
    """The path as one would type it from here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
