"""Parts: how a package plugs into the service. Built-ins register exactly as a plug-in would.

A part is data and dotted names; nothing heavy is imported until somebody needs it. Entry-point group
``opendata.parts``; see DESIGN.md 4.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal

from opendata.errors import ConfigurationError
from opendata.settings import Settings

Text = Mapping[str, str]  # {"zh": ..., "en": ...}
_importing = threading.RLock()


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """One process the supervisor starts. ``needs`` names processes that must be ready first."""

    name: str
    argv: Callable[[Settings], list[str]]
    user: Literal["web", "worker", "hub", "root"]
    needs: tuple[str, ...]
    ready: Callable[[Settings], bool]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of ``opendata doctor``."""

    name: Text
    state: Literal["enforced", "weaker", "off"]
    detail: Text


@dataclass(frozen=True, slots=True)
class NavItem:
    """A link in the console's navigation, shown to people with one of the roles (empty: to everybody)."""

    label_zh: str
    path: str
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Panel:
    """What another part has to say on a page of the service: sentences, and a link to where it goes on."""

    title: Mapping[str, object]
    sentences: tuple[Mapping[str, object], ...]
    path: str = ""
    label: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """What a package brings.

    ``router``: ``module:attribute`` of a FastAPI router. ``jobs``: kind -> ``module:function`` with the signature
    ``f(context: JobContext, arguments: dict)``. ``raw_door``: path -> ``module:function`` with the signature
    ``f(door: RawDoorContext, actor: Actor, request: dict) -> RawAnswer``. ``models``: module or modules whose import
    registers the tables; ``migrations``: folder of their Alembic versions. ``rounds``: name -> ``module:function`` with
    the signature ``f(resources: Resources)``, which the worker calls every few seconds. ``panels``: page (``dataset``
    or ``policy``) -> ``module:function`` with the signature ``f(request, session, dataset, actor, **more) -> Panel |
    None``; a dataset's page gives nothing more, a policy's page its ``policy`` and ``intake``.
    """

    name: str
    router: str | None = None
    jobs: Mapping[str, str] = field(default_factory=dict)
    processes: tuple[ProcessSpec, ...] = ()
    doctor: Callable[[Settings], Iterable[Finding]] | None = None
    templates: Path | None = None
    locale: Path | None = None
    static: Path | None = None
    migrations: Path | None = None
    models: str | tuple[str, ...] | None = None
    navigation: tuple[NavItem, ...] = ()
    demo: str | None = None
    raw_door: Mapping[str, str] = field(default_factory=dict)
    rounds: Mapping[str, str] = field(default_factory=dict)
    panels: Mapping[str, str] = field(default_factory=dict)


@cache
def installed_parts() -> tuple[Part, ...]:
    """Every registered part, core first, then by name. A part that cannot be loaded stops the service."""
    parts = []
    for entry in entry_points(group="opendata.parts"):
        part = entry.load()
        if not isinstance(part, Part) or part.name != entry.name:
            raise ConfigurationError(f"部件 {entry.name} 登记的不是同名的 Part（entry point is not that part）")
        parts.append(part)
    names = [part.name for part in parts]
    if len(set(names)) != len(names):
        raise ConfigurationError(f"部件重名：{sorted(names)}（two parts of one name）")
    return tuple(sorted(parts, key=lambda part: (part.name != "core", part.name)))


def resolve(dotted: str) -> Any:
    """The object behind ``module:attribute``. Raises ConfigurationError when there is none.

    One thread at a time: when threads import modules that share others, Python breaks their deadlock by showing one of
    them a module that is half there. So a worker with several jobs to recover would lose some.
    """
    module, _, attribute = dotted.partition(":")
    try:
        with _importing:
            return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"部件所指的 {dotted} 不存在（cannot be resolved）") from error


def merged(parts: Iterable[Part], attribute: Literal["jobs", "raw_door", "rounds"]) -> dict[str, str]:
    """The registries of all parts as one; a name registered twice is refused."""
    result: dict[str, str] = {}
    for part in parts:
        for name, dotted in getattr(part, attribute).items():
            if name in result:
                raise ConfigurationError(f"{attribute} {name} 被登记两次（registered twice）")
            result[name] = dotted
    return result
