"""Putting the places of a jail where the jail's own uid can reach them, in a private mount namespace.

Bubblewrap resolves its sources with the rights of the jail's uid, and data, environment or checkout may lie below a
directory closed to it. As root the keeper therefore binds every source into a small memory file system that only its
own mount namespace holds. All of it, loop mounts included, is gone when the last process of the jail is, also after
``kill -9``.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import stat
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from sandbox.errors import LauncherRefused, SandboxUnavailable
from sandbox.execution.jail import Bind

CLONE_NEWNS: Final = 0x00020000
MS_RDONLY: Final = 1
MS_NOSUID: Final = 2
MS_NODEV: Final = 4
MS_REMOUNT: Final = 32
MS_BIND: Final = 4096
MS_REC: Final = 16384
MS_PRIVATE: Final = 1 << 18
PLACES: Final = ("/mnt", "/srv", "/tmp")  # noqa: S108 - covered in our own mount namespace only
COPY_FILES: Final = 10_000
_libc: Final = ctypes.CDLL(None, use_errno=True)


def stage(binds: Sequence[Bind], *, uid: int, copy_bytes: int) -> list[Bind]:
    """Enter a new mount namespace and bind every source there; returns the binds with their new sources.

    A source marked ``data`` whose files the jail's uid cannot read is copied (at most ``copy_bytes`` bytes) instead.
    A source that ends in ``.ext4`` is mounted as a file system. Needs root.

    Raises:
        LauncherRefused: a source is missing, is a link below its trusted folder, or is too large to copy.
        SandboxUnavailable: mounting is not possible here.
    """
    place = next(path for path in PLACES if os.path.isdir(path))
    opened: list[int] = []
    try:
        _check(_libc.unshare(CLONE_NEWNS), "unshare")
        _mount(None, "/", None, MS_REC | MS_PRIVATE)
        # Opened in the new namespace (a mount of the old one cannot be bound) and before anything is covered.
        opened += [_open(bind) for bind in binds]
        _mount("stage", place, "tmpfs", MS_NOSUID | MS_NODEV, "size=65536,nr_inodes=4096,mode=0755")
        return [
            replace(bind, source=Path(_stage_one(bind, fd, f"{place}/{number}", uid, copy_bytes)))
            for number, (bind, fd) in enumerate(zip(binds, opened, strict=True))
        ]
    finally:
        for fd in opened:
            os.close(fd)


def _open(bind: Bind) -> int:
    """A descriptor of the source; below ``bind.below`` no component may be a link."""
    try:
        if bind.below is None:
            return os.open(bind.source, os.O_PATH | os.O_CLOEXEC)
        fd = os.open(bind.below, os.O_PATH | os.O_CLOEXEC)
        for part in bind.source.relative_to(bind.below).parts:
            inner = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
            os.close(fd)
            fd = inner
            if stat.S_ISLNK(os.fstat(fd).st_mode):
                os.close(fd)
                raise _missing(bind)
    except (OSError, ValueError) as error:
        raise _missing(bind) from error
    return fd


def _stage_one(bind: Bind, fd: int, target: str, uid: int, copy_bytes: int) -> str:
    source = f"/proc/self/fd/{fd}"
    if bind.source.suffix == ".ext4":
        os.mkdir(target)
        _mount_image(bind.source, target)
        os.chown(target, uid, uid)
        os.chmod(target, 0o700)
        return target
    if bind.data and not _readable_by_all(source):
        os.mkdir(target)
        _mount("copy", target, "tmpfs", MS_NOSUID | MS_NODEV, f"size={copy_bytes},nr_inodes={COPY_FILES},mode=0755")
        try:
            _copy(source, target)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise LauncherRefused("数据超出沙箱的容量。", "The data is larger than the sandbox's limit.") from error
    elif stat.S_ISDIR(os.fstat(fd).st_mode):
        os.mkdir(target)
        _mount(source, target, None, MS_BIND)
    else:
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o444))
        _mount(source, target, None, MS_BIND)
    if not bind.writable:
        _mount(None, target, None, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV)
    else:
        _mount(None, target, None, MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV)
    return target


def make_image(path: Path, size: int, uid: int) -> None:
    """Make a home of fixed size: an ext4 file system in a sparse file (0600). Keeps what is there.

    Raises:
        SandboxUnavailable: ``mkfs.ext4`` is missing or failed.
    """
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o711)
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(draft, "xb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.truncate(size)
        subprocess.run(
            ["mkfs.ext4", "-q", "-F", "-m0", "-O", "^has_journal", "-E", f"root_owner={uid}:{uid}", os.fspath(draft)],
            check=True,
            capture_output=True,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )
        os.rename(draft, path)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SandboxUnavailable("不能建立个人目录映像。", "The image of the home cannot be made.") from error
    finally:
        draft.unlink(missing_ok=True)


def _mount_image(path: Path, target: str) -> None:
    """Check and mount; the loop device frees itself when the mount goes."""
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    checked = subprocess.run(["e2fsck", "-p", os.fspath(path)], capture_output=True, env=environment, check=False)
    mounted = subprocess.run(
        ["mount", "-o", "loop,nosuid,nodev", os.fspath(path), target], capture_output=True, env=environment, check=False
    )
    if checked.returncode > 1 or mounted.returncode:
        raise SandboxUnavailable("不能挂载个人目录映像。", "The image of the home cannot be mounted.")


def _readable_by_all(top: str) -> bool:
    for folder, folders, files in os.walk(top):
        if not os.stat(folder).st_mode & stat.S_IROTH or not os.stat(folder).st_mode & stat.S_IXOTH:
            return False
        if len(folders) + len(files) > COPY_FILES:
            return True  # too many to look at; what cannot be read then fails inside
        for name in files:
            mode = os.lstat(os.path.join(folder, name)).st_mode
            if stat.S_ISREG(mode) and not mode & stat.S_IROTH:
                return False
    return True


def _copy(source: str, target: str) -> None:
    """Regular files only; links and devices are left out."""
    for folder, folders, files in os.walk(source):
        inside = os.path.join(target, os.path.relpath(folder, source))
        for name in folders:
            if not os.path.islink(os.path.join(folder, name)):
                os.mkdir(os.path.join(inside, name), 0o755)
        for name in files:
            if os.path.islink(os.path.join(folder, name)):
                continue
            fd = os.open(os.path.join(folder, name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with open(fd, "rb") as read:
                if stat.S_ISREG(os.fstat(fd).st_mode):
                    with open(os.path.join(inside, name), "xb") as write:
                        shutil.copyfileobj(read, write, 1 << 20)
                        os.fchmod(write.fileno(), 0o444)


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str = "") -> None:
    arguments = [text.encode() if text is not None else None for text in (source, target, kind)]
    _check(_libc.mount(*arguments, ctypes.c_ulong(flags), data.encode() or None), "mount")


def _check(returned: int, what: str) -> None:
    if returned != 0:
        number = ctypes.get_errno()
        raise SandboxUnavailable(
            f"系统不允许 {what}：{os.strerror(number)}。", f"The system does not allow {what}: {os.strerror(number)}."
        )


def _missing(bind: Bind) -> LauncherRefused:
    return LauncherRefused(f"没有 {bind.target} 的来源。", f"There is nothing to show as {bind.target}.")
