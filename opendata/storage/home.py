"""The home directory: who owns what, with which mode. Made so, kept so, never widened.

With separate users: the home is ``root:opendata`` 3771. Group-writable, so that web and worker can create SQLite's
``-wal`` and ``-shm``; sticky, so that neither can rename or delete what the other owns; traversable, so that the hub
reaches its own directories and nothing else. With one user everything is that user's and 0700.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from opendata.errors import ConfigurationError
from opendata.settings import Settings
from opendata.storage.files import sync_directory

_HOME_MODE = 0o3771


@dataclass(frozen=True, slots=True)
class Place:
    """One path of the home and what it must be. ``owner``/``group`` are names, None for the present user's."""

    path: Path
    mode: int
    owner: str | None = None
    group: str | None = None
    file: bool = False


def places(settings: Settings) -> tuple[Place, ...]:
    """Every path that ``prepare`` makes, parents first."""
    if not settings.users.separated:
        return _places_of_one_user(settings)
    web, worker, hub, group = settings.users.web, settings.users.worker, settings.users.hub, settings.users.group
    return (
        Place(settings.home, _HOME_MODE, "root", group),
        Place(settings.keys_dir, 0o711, "root", "root"),
        Place(settings.keys_dir / "public", 0o755, "root", "root"),
        Place(settings.keys_dir / "worker", 0o700, worker, worker),
        Place(settings.keys_dir / "web", 0o700, web, web),
        Place(settings.keys_dir / "hub", 0o700, hub, hub),
        Place(settings.vault_dir, 0o710, worker, group),
        Place(settings.incoming_dir, 0o3730, worker, group),
        Place(settings.vault_dir / "intakes", 0o700, worker, worker),
        Place(settings.vault_dir / "quarantine", 0o700, worker, worker),
        Place(settings.editions_dir, 0o2750, worker, group),
        Place(settings.ledger_dir, 0o2750, worker, group),
        Place(settings.workspaces_dir, 0o2750, worker, group),
        Place(settings.hub_dir, 0o700, hub, hub),
        Place(settings.logs_dir, 0o700, "root", "root"),
        Place(settings.run_dir, 0o711, "root", "root"),
        Place(settings.rawdoor_socket.parent, 0o2750, worker, group),
        Place(settings.run_dir / "hub", 0o700, hub, hub),
        *(
            (Place(settings.database_file, 0o660, worker, group, file=True),)
            if settings.database_url.startswith("sqlite:")
            else ()
        ),
        Place(settings.jobs_file.parent, 0o700, worker, worker),
    )


def prepare(settings: Settings) -> None:
    """Create users and places, or bring places back to their owners and modes.

    A wider mode is narrowed. Raises ConfigurationError, having widened nothing, for a place that is a link, belongs to
    somebody else, or was narrowed by the operator; and for a home that its processes cannot reach.
    """
    _check_caller(settings)
    if settings.users.separated:
        _make_users(settings)
    _check_way_to(settings.home, others=settings.users.separated)
    for place in places(settings):
        _make(place)


def is_separated(settings: Settings) -> bool:
    """Whether processes really run under their own users here (``opendata doctor`` shows it)."""
    return settings.users.separated


def _places_of_one_user(settings: Settings) -> tuple[Place, ...]:
    directories = (
        settings.home,
        settings.keys_dir,
        settings.keys_dir / "public",
        settings.keys_dir / "worker",
        settings.keys_dir / "web",
        settings.keys_dir / "hub",
        settings.vault_dir,
        settings.incoming_dir,
        settings.vault_dir / "intakes",
        settings.vault_dir / "quarantine",
        settings.editions_dir,
        settings.ledger_dir,
        settings.workspaces_dir,
        settings.jobs_file.parent,
        settings.hub_dir,
        settings.logs_dir,
        settings.run_dir,
        settings.rawdoor_socket.parent,
        settings.run_dir / "hub",
    )
    files = [settings.database_file] if settings.database_url.startswith("sqlite:") else []
    return tuple(Place(path, 0o700) for path in directories) + tuple(Place(path, 0o600, file=True) for path in files)


def _check_caller(settings: Settings) -> None:
    if settings.as_root and os.geteuid() != 0:
        raise ConfigurationError(
            f"{settings.home} 属于 root；请用 root 运行，或用 OPENDATA_HOME 另选目录（the home belongs to root）"
        )
    if settings.users.separated != settings.as_root:
        raise ConfigurationError("只有以 root 运行时才能分设系统用户（separate users need root）")


def _make_users(settings: Settings) -> None:
    group = settings.users.group
    assert group is not None
    try:
        gid = grp.getgrnam(group).gr_gid
    except KeyError:
        _run("groupadd", "--system", group)
        gid = grp.getgrnam(group).gr_gid
    for name, member in ((settings.users.web, True), (settings.users.worker, True), (settings.users.hub, False)):
        assert name is not None
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            extra = ("--groups", group) if member else ()
            _run(
                "useradd",
                "--system",
                "--user-group",
                "--no-create-home",
                "--home-dir",
                "/nonexistent",
                "--shell",
                "/usr/sbin/nologin",
                *extra,
                name,
            )
            user = pwd.getpwnam(name)
        belongs = gid in os.getgrouplist(name, user.pw_gid)
        if user.pw_uid == 0 or belongs != member:
            raise ConfigurationError(
                f"系统用户 {name} 已存在但不合要求（须非 root，{'属于' if member else '不属于'}组 {group}）；"
                f"请修正后重试（user exists with other groups）"
            )


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise ConfigurationError(f"缺少命令 {command[0]}，无法创建系统用户（Debian 软件包 passwd）") from None
    if done.returncode != 0:
        raise ConfigurationError(f"{command[0]} 失败：{done.stderr.strip()}（cannot create system users）")


def _check_way_to(home: Path, *, others: bool) -> None:
    """No directory above the home may let strangers replace it.

    One that is closed to other users is fine: the supervisor opens a way through it for each process alone
    (`opendata.supervisor.paths`).
    """
    _make_parents(home.parent, 0o755 if others else 0o700)
    for directory in home.parents:
        state = directory.stat()
        if state.st_mode & stat.S_IWOTH and not state.st_mode & stat.S_ISVTX:
            raise ConfigurationError(f"任何人都可改写 {directory}，不能在其下存放数据（world-writable parent）")


def _make_parents(directory: Path, mode: int) -> None:
    for missing in reversed([each for each in (directory, *directory.parents) if not each.exists()]):
        missing.mkdir(mode=0o700)
        missing.chmod(mode)
        sync_directory(missing.parent)


def _make(place: Place) -> None:
    uid = pwd.getpwnam(place.owner).pw_uid if place.owner is not None else os.geteuid()
    gid = grp.getgrnam(place.group).gr_gid if place.group is not None else os.getegid()
    fresh = _create(place)
    flags = os.O_NOFOLLOW | os.O_CLOEXEC | (os.O_RDONLY if place.file else os.O_RDONLY | os.O_DIRECTORY)
    try:
        descriptor = os.open(place.path, flags)
    except OSError as error:
        raise ConfigurationError(
            f"{place.path} 不能打开：{os.strerror(error.errno or 0)}（cannot be opened）"
        ) from None
    try:
        state = os.fstat(descriptor)
        if place.file and (not stat.S_ISREG(state.st_mode) or state.st_nlink != 1):
            raise ConfigurationError(f"{place.path} 不是普通文件（not a plain file）")
        fresh = fresh or _untouched(place, descriptor, state)
        if state.st_uid != uid and not (fresh and state.st_uid == os.geteuid()):
            raise ConfigurationError(
                f"{place.path} 属于 uid {state.st_uid}，应属于 uid {uid}；请核实后用 chown 修正（wrong owner）"
            )
        _settle(place, descriptor, uid, gid, fresh=fresh)
    finally:
        os.close(descriptor)


def _create(place: Place) -> bool:
    try:
        if place.file:
            os.close(os.open(place.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
        else:
            os.mkdir(place.path, 0o700)
    except FileExistsError:
        return False
    sync_directory(place.path.parent)
    return True


def _untouched(place: Place, descriptor: int, state: os.stat_result) -> bool:
    """Made by an interrupted start or by the operator for us: ours or root's, and still empty."""
    if state.st_uid != os.geteuid():
        return False
    if place.file:
        return state.st_size == 0
    inside = os.listdir(descriptor)
    return not inside or (place.mode == _HOME_MODE and "keys" not in inside)  # a home only becomes one by its keys


def _settle(place: Place, descriptor: int, uid: int, gid: int, *, fresh: bool) -> None:
    state = os.fstat(descriptor)
    mode = stat.S_IMODE(state.st_mode)
    if fresh:
        os.fchmod(descriptor, 0o600 if place.file else 0o700)  # closed while the owner changes
        os.fchown(descriptor, uid, gid)
        os.fchmod(descriptor, place.mode)
        return
    lacking = place.mode & ~mode
    if state.st_gid != gid:
        os.fchmod(descriptor, mode & ~0o070)
        os.fchown(descriptor, uid, gid)
        mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
    if lacking & 0o777:
        raise ConfigurationError(
            f"{place.path} 的权限是 {mode:o}，应为 {place.mode:o}；程序不会自行放宽权限，请核实后执行 "
            f"chmod {place.mode:o} {place.path}（mode is narrower than needed）"
        )
    if mode != place.mode:
        os.fchmod(descriptor, place.mode)  # narrower, or with the set-gid and sticky bits again
