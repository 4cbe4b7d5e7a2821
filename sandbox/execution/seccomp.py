"""The system calls a jail may make: an allow-list, compiled once to BPF by libseccomp.

What is not listed fails with EPERM. Exceptions, each because a library aborts or retries otherwise:

* ``clone3`` fails with ENOSYS, so libc falls back to ``clone``, whose flags a filter can read.
* Netlink sockets fail with EOPNOTSUPP and other families with EAFNOSUPPORT; libzmq aborts on EPERM.
* ``preadv2``/``pwritev2`` fail with ENOSYS: RWF_NOWAIT reads the page cache other jails share.
* ``sysinfo`` fails with ENOSYS: it tells the host's load (PRIVACY.md 15).

What outlives a sealed job and could be read by its author afterwards (PRIVACY.md 15) is closed too, with ENOSYS so
that programs fall back:

* ``statfs`` and ``fstatfs`` tell the free blocks of the host's disk, hence the size of what was written.
* ``inotify`` and ``F_NOTIFY`` queue, also for a frozen process, who opened which file of the shared system: some
  16,000 events, in order. Leases wait in the same way.
* A ``pidfd`` is a file whose number counts all processes the host ever started, the cookie of a socket all sockets.

A network namespace does not cover AF_VSOCK, netlink of its own namespace, io_uring or keyrings; this filter does.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from functools import cache
from typing import Any, Final

CLONE_NEW: Final = 0x7E020000 | 0x00000080  # every namespace flag, time included
CLONE_PIDFD: Final = 0x00001000
TIOCSTI: Final = 0x5412
TIOCLINUX: Final = 0x541C
LOW_32: Final = 0xFFFFFFFF
FAMILIES: Final = 64  # the kernel knows 46; any number above fails with EPERM

ALLOWED: Final = """
accept accept4 access alarm arch_prctl bind brk capget chdir chmod chown clock_getres clock_gettime clock_nanosleep
close close_range connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old
epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit exit_group faccessat
faccessat2 fadvise64 fallocate fchdir fchmod fchmodat fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fork
fstat fsync ftruncate futex futex_waitv futimesat get_robust_list get_thread_area getcpu getcwd getdents
getdents64 getegid geteuid getgid getgroups getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom
getresgid getresuid getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday getuid getxattr
ioctl ioprio_get kill lchown lgetxattr link linkat
listen listxattr llistxattr lseek lstat madvise membarrier memfd_create mkdir mkdirat mlock mlock2 mmap mprotect
mremap msync munlock munmap nanosleep newfstatat open openat openat2 pause pidfd_send_signal pipe pipe2
pkey_alloc pkey_free pkey_mprotect poll ppoll prctl pread64 preadv prlimit64 pselect6 pwrite64 pwritev read readahead
readlink readlinkat readv recvfrom recvmmsg recvmsg rename renameat renameat2 restart_syscall rmdir rseq rt_sigaction
rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo
sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler
sched_rr_get_interval sched_setaffinity sched_setscheduler sched_yield select sendfile sendmmsg sendmsg sendto
set_robust_list set_thread_area set_tid_address setitimer setpgid setpriority setrlimit setsid setsockopt shutdown
sigaltstack signalfd signalfd4 stat statx symlink symlinkat sync_file_range tgkill time timer_create
timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime timerfd_settime times tkill
truncate umask uname unlink unlinkat utime utimensat utimes vfork wait4 waitid write writev
""".split()  # noqa: SIM905 - a list would fill four screens
"""Unix sockets, files, memory, threads, time: what Python, its numeric libraries and a notebook server use."""

ABSENT: Final = """
clone3 preadv2 pwritev2 sysinfo io_uring_setup memfd_secret statfs fstatfs inotify_init inotify_init1 inotify_add_watch
inotify_rm_watch pidfd_open
""".split()  # noqa: SIM905 - as above
"""Answered with ENOSYS as if the kernel did not know them."""

F_SETLEASE: Final = 1024
F_NOTIFY: Final = 1026
COOKIES: Final = {"SO_COOKIE": 57, "SO_NETNS_COOKIE": 71, "SO_PASSPIDFD": 76, "SO_PEERPIDFD": 77}


@cache
def programs() -> tuple[bytes, bytes]:
    """The allow-list and the second filter, for single operations of allowed calls, as BPF bytes for bubblewrap."""
    return _allow_list(), _operations()


def _allow_list() -> bytes:
    import pyseccomp as sc

    rules = sc.SyscallFilter(defaction=sc.ERRNO(errno.EPERM))
    for name in ALLOWED:
        _add(rules, sc.ALLOW, name)
    for name in ABSENT:
        _add(rules, sc.ERRNO(errno.ENOSYS), name)
    _add(rules, sc.ALLOW, "clone", sc.Arg(0, sc.MASKED_EQ, CLONE_NEW | CLONE_PIDFD, 0))
    _add(rules, sc.ALLOW, "personality", sc.Arg(0, sc.MASKED_EQ, LOW_32, LOW_32))
    _add(rules, sc.ALLOW, "personality", sc.Arg(0, sc.MASKED_EQ, LOW_32, 0))
    for name in ("mknod", "mknodat"):
        mode = 1 if name == "mknod" else 2
        _add(rules, sc.ALLOW, name, sc.Arg(mode, sc.MASKED_EQ, 0o170000, stat.S_IFIFO))
    unix, netlink = int(socket.AF_UNIX), int(socket.AF_NETLINK)
    for name in ("socket", "socketpair"):
        _add(rules, sc.ALLOW, name, sc.Arg(0, sc.EQ, unix))
        _add(rules, sc.ERRNO(errno.EOPNOTSUPP), name, sc.Arg(0, sc.EQ, netlink))
        for family in set(range(FAMILIES)) - {unix, netlink}:
            _add(rules, sc.ERRNO(errno.EAFNOSUPPORT), name, sc.Arg(0, sc.EQ, family))
    return _export(rules)


def _operations() -> bytes:
    """Typing into a terminal, watching files of others, counters of the host: one operation of a call each."""
    import pyseccomp as sc

    rules = sc.SyscallFilter(defaction=sc.ALLOW)
    for command in (TIOCSTI, TIOCLINUX):
        # Only the low half: the kernel ignores the upper one, so a filter that compares both is walked around.
        _add(rules, sc.ERRNO(errno.EPERM), "ioctl", sc.Arg(1, sc.MASKED_EQ, LOW_32, command))
    for command in (F_SETLEASE, F_NOTIFY):
        _add(rules, sc.ERRNO(errno.EINVAL), "fcntl", sc.Arg(1, sc.MASKED_EQ, LOW_32, command))
    for call in ("getsockopt", "setsockopt"):
        for option in COOKIES.values():
            socket_level = sc.Arg(1, sc.MASKED_EQ, LOW_32, int(socket.SOL_SOCKET))
            _add(rules, sc.ERRNO(errno.ENOPROTOOPT), call, socket_level, sc.Arg(2, sc.MASKED_EQ, LOW_32, option))
    return _export(rules)


def _add(rules: Any, action: Any, name: str, *arguments: Any) -> None:
    """Add a rule; a call this architecture does not have is left out, which means it stays forbidden."""
    import pyseccomp as sc

    if sc.resolve_syscall(sc.Arch.NATIVE, name) == -1:
        return
    rules.add_rule(action, name, *arguments)


def _export(rules: Any) -> bytes:
    fd = os.memfd_create("seccomp")
    with open(fd, "w+b") as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()
