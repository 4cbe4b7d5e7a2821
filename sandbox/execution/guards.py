"""Guards: small programs in front of commands that would need a network. They name themselves and exit 1.

Nothing depends on them (there is no network to reach); they say why, in two languages, and what to do instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Guard:
    """One guard and the commands it stands for; ``{name}`` in its words is the command that was called."""

    name: str
    commands: tuple[str, ...]
    zh: str
    en: str

    def script(self) -> bytes:
        """One for all its commands, which are links to it: it finds in how it was called which one it is."""
        said = "".join(f'echo "{words.format(name="${0##*/}")}" >&2\n' for words in (self.zh, self.en))
        return f"#!/bin/sh\n{said}exit 1\n".encode()

    def module(self, name: str) -> bytes:
        """The same for ``python -m name``, which is what a notebook's ``%pip`` runs; importing it fails as before."""
        said = "\n".join(words.format(name=name) for words in (self.zh, self.en))
        absent = f"raise ModuleNotFoundError({said!r}, name={name!r})"
        return f"if __name__ != '__main__':\n    {absent}\nraise SystemExit({said!r})\n".encode()


GUARDS: Final = (
    Guard(
        "network-guard",
        (
            *("curl", "wget", "git", "ssh", "scp", "sftp", "rsync"),
            *("nc", "ncat", "telnet", "ftp", "ping", "dig", "nslookup"),
        ),
        "网络守卫：沙箱没有网络，{name} 不能使用。数据在 /data；外部文件请走导入审查，结果请走出域审查。",
        "network guard: no network in the sandbox, {name} refused. Data is in /data; files travel through the airlock.",
    ),
    Guard(
        "package-guard",
        ("pip", "pip3", "uv", "conda", "mamba", "apt", "apt-get", "npm"),
        "软件包守卫：沙箱不能安装软件包，{name} 不能使用。需要的软件包请告诉管理员，加入内核环境后人人可用。",
        "package guard: nothing is installed in the sandbox, {name} refused. Ask the administrator to add the package.",
    ),
)


MODULES: Final = {"pip": "package-guard"}
"""Modules that are run by name and what guards them."""


def options(folder: str, modules: str, open_data: Callable[[bytes], int]) -> list[str]:
    """Bubblewrap's options that put them into ``folder``: two files, and a link for every command.

    Their Python modules go into ``modules``, where the interpreter looks.
    """
    args: list[str] = []
    for module, guard_name in MODULES.items():
        guard = next(each for each in GUARDS if each.name == guard_name)
        args += ["--perms", "0444", "--file", str(open_data(guard.module(module))), f"{modules}/{module}.py"]
    for guard in GUARDS:
        args += ["--perms", "0555", "--file", str(open_data(guard.script())), f"{folder}/{guard.name}"]
        for command in guard.commands:
            args += ["--symlink", guard.name, f"{folder}/{command}"]
    return args
