# ruff: noqa: SIM115, TRY300, RUF059
"""Attempts to get out of a jail, run inside it. Prints one JSON object: name -> "open" or why it failed.

Standard library only: the jail's own python runs it. An attempt returns something true only if it reached what it was
after; an exception or a false value means it was stopped. ``harmless`` ones may also be run outside, as a control.
Usage: battery.py OUTPUT_FD FACTS_JSON [--harmless]
"""

import ctypes
import errno
import json
import os
import resource
import signal
import socket
import struct
import sys
import time

FACTS = {}
ATTEMPTS = {}
HARMLESS = set()
libc = ctypes.CDLL(None, use_errno=True)


def attempt(function=None, *, harmless=False):
    def add(given):
        name = given.__name__
        ATTEMPTS[name] = given
        if harmless:
            HARMLESS.add(name)
        return given

    return add(function) if function else add


def syscall(number, *arguments):
    """Result of a raw call; raises OSError as the kernel said."""
    libc.syscall.restype = ctypes.c_long
    given = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = libc.syscall(ctypes.c_long(number), *given)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def in_child(function, seconds=20):
    """Exit code of ``function`` run in a forked child: 0 if it returned something true."""
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(0 if function() else 1)
        except BaseException:
            os._exit(2)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return -99


def define(name, function, harmless=False):
    function.__name__ = name
    attempt(harmless=harmless)(function)


# --- network


FAMILIES = {
    "inet": 2, "ax25": 3, "ipx": 4, "appletalk": 5, "inet6": 10, "key": 15, "netlink": 16, "packet": 17, "rds": 21,
    "can": 29, "tipc": 30, "bluetooth": 31, "alg": 38, "vsock": 40, "kcm": 41, "qipcrtr": 42, "smc": 43, "xdp": 44,
}  # fmt: skip


def socket_of(family):
    def try_it():
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
            try:
                socket.socket(family, kind).close()
                return True
            except OSError as error:
                last = error
        raise last

    return try_it


for _name, _family in FAMILIES.items():
    define(f"socket_{_name}", socket_of(_family), harmless=_name in ("inet", "inet6", "netlink", "vsock"))


@attempt(harmless=True)
def socket_family_with_high_bits():
    """The kernel cuts the family to 32 bits; a filter that compares 64 must not let it through."""
    return syscall(41, (1 << 32) | socket.AF_INET, socket.SOCK_STREAM, 0) >= 0


@attempt(harmless=True)
def tcp_to_host():
    with socket.create_connection(("127.0.0.1", FACTS["tcp_port"]), timeout=2) as connection:
        return connection.recv(5) == b"hello"


@attempt(harmless=True)
def udp_to_host():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        return sender.sendto(b"x", ("127.0.0.1", FACTS["tcp_port"]))


@attempt
def tcp_to_metadata_address():
    with socket.create_connection(("169.254.169.254", 80), timeout=1):
        return True


@attempt
def dns():
    return socket.getaddrinfo("example.com", 80)


@attempt(harmless=True)
def abstract_socket_of_host():
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect("\0" + FACTS["abstract"])
        return connection.recv(5) == b"hello"


@attempt(harmless=True)
def unix_socket_of_host():
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(FACTS["unix_path"])
        return connection.recv(5) == b"hello"


@attempt(harmless=True)
def network_interfaces():
    return {line.split(":")[0].strip() for line in open("/proc/net/dev") if ":" in line} - {"lo"}


@attempt
def vsock_ioctl_device():
    return os.open("/dev/vsock", os.O_RDONLY)


# --- files of the host


def readable(path):
    def try_it():
        if os.path.isdir(path):
            return os.listdir(path)
        with open(path, "rb") as file:
            return file.read(1)

    return try_it


for _name, _path in {
    "shadow": "/etc/shadow", "hostname": "/etc/hostname", "resolv_conf": "/etc/resolv.conf", "root_home": "/root",
    "host_home": "/home/..data", "var": "/var", "boot": "/boot", "srv": "/srv", "mnt": "/mnt", "sys": "/sys",
    "cgroup": "/sys/fs/cgroup", "ssl_keys": "/etc/ssl/private", "init_root": "/proc/1/root/etc/shadow",
    "init_cwd": "/proc/1/cwd/etc/shadow", "usr_local": "/usr/local/bin", "systemd_run": "/run/systemd",
    "docker_socket": "/run/docker.sock",
}.items():  # fmt: skip
    define(f"read_{_name}", readable(_path), harmless=_name in ("shadow", "hostname", "var", "sys", "root_home"))


@attempt(harmless=True)
def read_host_secret():
    return b"canary" in open(FACTS["secret"], "rb").read()


@attempt
def read_host_secret_through_init():
    return b"canary" in open("/proc/1/root" + FACTS["secret"], "rb").read()


@attempt(harmless=True)
def see_host_process():
    with open(f"/proc/{FACTS['pid']}/cmdline", "rb") as file:
        return FACTS["marker"].encode() in file.read()


@attempt
def secret_in_environment():
    texts = [open(f"/proc/{pid}/environ", "rb").read() for pid in os.listdir("/proc") if pid.isdigit()]
    return any(b"canary" in text for text in texts)


@attempt
def leaked_descriptor():
    known = {0, 1, 2, FACTS["output_fd"]}
    there = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            os.readlink(f"/proc/self/fd/{name}")
            there.add(int(name))
        except OSError:
            continue
    return there - known


@attempt
def leaked_directory_descriptor():
    return any(os.path.isdir(f"/proc/self/fd/{n}/etc") for n in os.listdir("/proc/self/fd"))


for _name in ("mem", "kmem", "port", "kvm", "fuse", "vda", "sda", "loop0", "loop-control", "kmsg", "mapper/control",
              "net/tun", "vhost-vsock", "userfaultfd", "snapshot"):  # fmt: skip
    define(f"device_{_name.replace('/', '_').replace('-', '_')}", readable(f"/dev/{_name}"))


# --- interfaces of the kernel


for _name in ("kallsyms", "config.gz", "cmdline", "interrupts", "iomem", "timer_list", "slabinfo", "vmallocinfo",
              "buddyinfo", "zoneinfo", "pagetypeinfo", "diskstats", "partitions", "keys", "key-users", "softirqs",
              "locks", "swaps", "crypto", "vmstat", "schedstat", "kcore", "modules", "devices", "misc", "cgroups"):  # fmt: skip
    define(
        f"proc_{_name.replace('.', '_').replace('-', '_')}",
        readable(f"/proc/{_name}"),
        harmless=_name in ("interrupts", "vmstat", "diskstats", "softirqs", "zoneinfo", "cmdline"),
    )


for _name in ("sys/kernel", "sys/fs", "fs", "irq", "driver", "bus", "pressure", "sysvipc", "tty", "acpi"):
    define(
        f"proc_folder_{_name.replace('/', '_')}",
        lambda path=f"/proc/{_name}": os.listdir(path),
        harmless="sys" in _name,
    )


@attempt(harmless=True)
def load_of_host_in_loadavg():
    return open("/proc/loadavg").read().split()[4] != "1"


@attempt(harmless=True)
def ticks_of_host_in_stat():
    return any(int(field) for field in open("/proc/stat").readline().split()[1:])


@attempt(harmless=True)
def memory_of_host_in_meminfo():
    return f"MemTotal:{FACTS['mem_total']}" in open("/proc/meminfo").read().replace(" ", "")


@attempt(harmless=True)
def uptime_of_host():
    return float(open("/proc/uptime").read().split()[0]) > 2


@attempt(harmless=True)
def sysinfo_of_host():
    return syscall(99, ctypes.create_string_buffer(256)) == 0


@attempt(harmless=True)
def page_cache_by_mincore():
    import mmap

    with open("/usr/bin/env", "rb") as file, mmap.mmap(file.fileno(), 4096, access=mmap.ACCESS_COPY) as mapped:
        address = ctypes.addressof(ctypes.c_char.from_buffer(mapped))
        return syscall(27, address, 4096, ctypes.create_string_buffer(8)) == 0


@attempt(harmless=True)
def page_cache_by_nowait():
    fd = os.open("/usr/bin/env", os.O_RDONLY)
    buffer = ctypes.create_string_buffer(16)
    vector = struct.pack("QQ", ctypes.addressof(buffer), 16)
    return syscall(327, fd, vector, 1, 0, 0, 8) >= 0


# --- what outlives a sealed job on the host (PRIVACY.md 15)


@attempt(harmless=True)
def free_blocks_of_host_disk():
    return os.statvfs("/usr").f_blocks


@attempt(harmless=True)
def free_blocks_by_descriptor():
    return os.fstatvfs(os.open("/usr/bin/env", os.O_RDONLY)).f_blocks


@attempt
def free_blocks_by_ustat():
    return syscall(136, os.stat("/usr").st_dev, ctypes.create_string_buffer(64)) == 0


@attempt(harmless=True)
def watch_shared_file_by_inotify():
    watcher = syscall(294, 0)
    syscall(254, watcher, ctypes.c_char_p(b"/usr/bin/env"), 0x20)
    os.close(os.open("/usr/bin/env", os.O_RDONLY))
    return os.read(watcher, 4096)


@attempt(harmless=True)
def watch_shared_folder_by_dnotify():
    import fcntl

    signal.signal(signal.SIGIO, signal.SIG_IGN)
    return fcntl.fcntl(os.open("/usr/bin", os.O_RDONLY), 1026, 1) == 0


@attempt(harmless=True)
def watch_shared_folder_by_dnotify_high_bits():
    signal.signal(signal.SIGIO, signal.SIG_IGN)
    return syscall(72, os.open("/usr/bin", os.O_RDONLY), (1 << 32) | 1026, 1) == 0


@attempt(harmless=True)
def lease_on_a_file():
    import fcntl
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        fd = os.open(file.name, os.O_RDONLY)
        file.close()
        return fcntl.fcntl(fd, 1024, fcntl.F_RDLCK) == 0


@attempt(harmless=True)
def number_of_host_processes_by_pidfd():
    return os.fstat(os.pidfd_open(os.getpid())).st_ino


@attempt
def number_of_host_processes_by_clone():
    """CLONE_PIDFD gives such a descriptor without asking for one."""
    fd = ctypes.c_int(-1)
    pid = syscall(56, 0x1000 | signal.SIGCHLD, 0, ctypes.byref(fd), 0, 0)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return fd.value >= 0


@attempt(harmless=True)
def number_of_host_sockets_by_cookie():
    with socket.socket(socket.AF_UNIX) as one:
        return one.getsockopt(socket.SOL_SOCKET, 57, 8)


@attempt(harmless=True)
def number_of_host_sockets_by_cookie_high_bits():
    with socket.socket(socket.AF_UNIX) as one:
        buffer, size = ctypes.create_string_buffer(8), ctypes.c_uint(8)
        return syscall(55, one.fileno(), (1 << 32) | 1, (1 << 32) | 57, buffer, ctypes.byref(size)) == 0


@attempt(harmless=True)
def number_of_host_networks_by_cookie():
    with socket.socket(socket.AF_UNIX) as one:
        return one.getsockopt(socket.SOL_SOCKET, 71, 8)


@attempt
def pidfd_of_peer():
    with socket.socketpair()[0] as one:
        return one.getsockopt(socket.SOL_SOCKET, 77, 4)


@attempt
def time_of_access_of_shared_file():
    os.utime("/usr/bin/env")
    return True


@attempt
def hard_link_to_shared_file():
    os.link("/usr/bin/env", "/tmp/env")
    return True


for _name in ("fs/file-nr", "fs/inode-nr", "fs/dentry-state", "fs/inotify/max_user_watches", "kernel/random/entropy_avail",
              "kernel/pty/nr", "kernel/ns_last_pid", "kernel/random/boot_id", "vm/overcommit_memory", "fs/aio-nr"):  # fmt: skip
    define(
        f"sysctl_{_name.replace('/', '_').replace('-', '_')}",
        readable(f"/proc/sys/{_name}"),
        harmless=_name in ("fs/file-nr", "fs/inode-nr"),
    )


@attempt
def cgroup_path_of_host():
    return [line for line in open("/proc/self/cgroup") if line.strip().split(":", 2)[2] != "/"]


@attempt
def file_of_another_uid():
    return open("/run/hub/private", "rb").read()


def written(path, text):
    fd = os.open(path, os.O_WRONLY)
    try:
        return os.write(fd, text)
    finally:
        os.close(fd)


define("write_sysctl", lambda: written("/proc/sys/kernel/core_pattern", b"|/tmp/x"))
define("write_sysrq", lambda: written("/proc/sysrq-trigger", b"h"))
define("write_oom_protection", lambda: written("/proc/self/oom_score_adj", b"-1000"))
define("write_uid_map", lambda: written("/proc/self/uid_map", b"0 0 1"))
define("write_gid_map", lambda: written("/proc/self/gid_map", b"0 0 1"))
define("init_without_filter", lambda: "Seccomp:\t2" not in open("/proc/1/status").read())
define("init_with_rights", lambda: int(next(x for x in open("/proc/1/status") if "CapEff" in x).split()[1], 16))


# --- writing where nothing may be written


for _name, _path in {
    "usr": "/usr/x", "root": "/x", "etc": "/etc/x", "passwd": "/etc/passwd", "venv": "/opt/venv/x",
    "kernel_code": "/opt/sandbox-kernel/sandbox/inside/x.py", "guard": "/opt/guard/x", "dev": "/dev/x",
    "data": "/data/x", "dataset": "/data/people/x.parquet", "dataset_file": "/data/people/people.parquet",
    "proc_meminfo": "/proc/meminfo", "site_packages": "/opt/venv/lib/python3.11/site-packages/x.pth",
}.items():  # fmt: skip
    define(f"write_{_name}", lambda path=_path: os.close(os.open(path, os.O_WRONLY | os.O_CREAT)) or True)


@attempt
def rename_over_system():
    os.rename("/etc/passwd", "/etc/passwd.old")
    return True


# --- mounts


def mount(source, target, kind, flags, data=None):
    if libc.mount(source, target, kind, ctypes.c_ulong(flags), data) != 0:
        raise OSError(ctypes.get_errno(), "mount")
    return True


define("mount_tmpfs", lambda: mount(b"none", b"/tmp", b"tmpfs", 0))
define("mount_proc", lambda: mount(b"proc", b"/tmp", b"proc", 0))
define("mount_bind", lambda: mount(b"/", b"/tmp", None, 4096))
define("remount_root_writable", lambda: mount(None, b"/", None, 32 | 4096))
define("remount_data_writable", lambda: mount(None, b"/data", None, 32 | 4096))
define("unmount_mask", lambda: syscall(166, ctypes.c_char_p(b"/proc/meminfo"), 2) == 0)
define("unmount_folder_mask", lambda: syscall(166, ctypes.c_char_p(b"/proc/sys"), 2) == 0)
define("fsopen", lambda: syscall(430, ctypes.c_char_p(b"tmpfs"), 0) >= 0)
define("open_tree", lambda: syscall(428, -100, ctypes.c_char_p(b"/"), 1) >= 0)
define("move_mount", lambda: syscall(429, -100, ctypes.c_char_p(b"/data"), -100, ctypes.c_char_p(b"/tmp"), 0) >= 0)
define("mount_setattr", lambda: syscall(442, -100, ctypes.c_char_p(b"/"), 0, struct.pack("QQQQ", 0, 1, 0, 0), 32) >= 0)
define("pivot_root", lambda: syscall(155, ctypes.c_char_p(b"/tmp"), ctypes.c_char_p(b"/tmp")) >= 0)
define("chroot", lambda: os.chroot("/tmp") is None)


# --- namespaces


for _name, _flag in {
    "user": 0x10000000, "net": 0x40000000, "mount": 0x00020000, "pid": 0x20000000, "ipc": 0x08000000,
    "uts": 0x04000000, "cgroup": 0x02000000, "time": 0x00000080,
}.items():  # fmt: skip
    define(f"unshare_{_name}", lambda flag=_flag: in_child(lambda: syscall(272, flag) == 0) == 0)


@attempt
def clone_new_user():
    def try_it():
        pid = syscall(56, 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0)
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        return True

    return in_child(try_it) == 0


@attempt
def clone3_new_user():
    arguments = struct.pack("QQQQQQQQQQQ", 0x10000000, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, 0)

    def try_it():
        pid = syscall(435, arguments, len(arguments))
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        return True

    return in_child(try_it) == 0


@attempt
def setns_of_init():
    return in_child(lambda: syscall(308, os.open("/proc/1/ns/user", os.O_RDONLY), 0) == 0) == 0


# --- other processes


@attempt
def ptrace_child():
    pid = os.fork()
    if pid == 0:
        time.sleep(5)
        os._exit(0)
    try:
        return syscall(101, 16, pid, 0, 0) == 0
    finally:
        os.kill(pid, signal.SIGKILL)


@attempt
def process_vm_readv_child():
    buffer = ctypes.create_string_buffer(8)
    pid = os.fork()
    if pid == 0:
        time.sleep(5)
        os._exit(0)
    local = struct.pack("QQ", ctypes.addressof(buffer), 8)
    try:
        return syscall(310, pid, local, 1, local, 1, 0) > 0
    finally:
        os.kill(pid, signal.SIGKILL)


@attempt
def pidfd_getfd_of_init():
    return syscall(438, os.pidfd_open(1), 0, 0) >= 0


define("kcmp", lambda: syscall(312, os.getpid(), os.getpid(), 0, 0, 0) >= 0)
define("process_madvise", lambda: syscall(440, os.pidfd_open(os.getpid()), b"\0" * 16, 1, 20, 0) >= 0)
define("kill_host_process", lambda: os.kill(FACTS["pid"], 0) is None, harmless=True)


# --- rights


def other_uid():
    os.setresuid(0, 0, 0)
    return os.getuid() == 0


define("setuid_root", lambda: in_child(other_uid) == 0)
define("setuid_other", lambda: in_child(lambda: os.setresuid(1001, 1001, 1001) is None) == 0)
define("setgroups", lambda: in_child(lambda: os.setgroups([0]) is None) == 0)
define("chown_to_root", lambda: os.chown(os.open("/tmp/own", os.O_CREAT | os.O_WRONLY), 0, 0) is None)
define("chroot_by_capability", lambda: int(next(x for x in open("/proc/self/status") if "CapEff" in x).split()[1], 16))
define("bounding_set", lambda: int(next(x for x in open("/proc/self/status") if "CapBnd" in x).split()[1], 16))
define("no_new_privileges_missing", lambda: "NoNewPrivs:\t1" not in open("/proc/self/status").read())


@attempt
def setuid_program():
    import subprocess

    said = subprocess.run(["/usr/bin/su", "-c", "id -u"], input=b"", capture_output=True, check=False).stdout
    return said.strip() == b"0"


@attempt
def mknod_disk():
    os.mknod("/tmp/disk", 0o60666, os.makedev(254, 0))
    return True


@attempt
def mknod_memory():
    os.mknod("/tmp/mem", 0o20666, os.makedev(1, 1))
    return True


define("raise_open_files", lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (1 << 20, 1 << 20)) is None)
define("raise_core", lambda: resource.setrlimit(resource.RLIMIT_CORE, (-1, -1)) is None)
define("raise_file_size", lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1)) is None)
define("raise_locked_memory", lambda: resource.setrlimit(resource.RLIMIT_MEMLOCK, (-1, -1)) is None)
define("raise_priority", lambda: os.setpriority(os.PRIO_PROCESS, 0, -20) is None)
define("real_time", lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50)) is None)


# --- system calls nobody needs


def said_yes(number, *arguments):
    def try_it():
        try:
            return syscall(number, *arguments) >= 0
        except OSError as error:
            # Reaching the kernel's own check of the arguments means that the filter let it through.
            if error.errno in (errno.EFAULT, errno.EINVAL, errno.E2BIG, errno.EBADF, errno.ENOENT, errno.ENOKEY):
                return True
            raise

    return try_it


for _name, _number, *_arguments in (
    ("bpf", 321, 0, 0, 0), ("perf_event_open", 298, 0, 0, -1, -1, 0), ("io_uring_setup", 425, 1, b"\0" * 120),
    ("io_uring_enter", 426, -1, 0, 0, 0, 0, 0), ("userfaultfd", 323, 1), ("add_key", 248, b"user\0", b"x\0", b"y", 1, -3),
    ("request_key", 249, b"user\0", b"x\0", 0, -3), ("keyctl", 250, 0, -3, 1), ("init_module", 175, 0, 0, 0),
    ("finit_module", 313, -1, 0, 0), ("delete_module", 176, 0, 0), ("kexec_load", 246, 0, 0, 0, 0),
    ("kexec_file_load", 320, -1, -1, 0, 0, 0), ("open_by_handle_at", 304, -1, 0, 0),
    ("name_to_handle_at", 303, -100, b"/\0", b"\x80\0\0\0" + b"\0" * 140, b"\0" * 8, 0), ("reboot", 169, 1, 2, 3, 0),
    ("settimeofday", 164, b"\0" * 16, 0), ("clock_settime", 227, 99, 0), ("clock_adjtime", 305, 99, 0), ("adjtimex", 159, 0),
    ("syslog", 103, 3, b"\0" * 64, 64), ("swapon", 167, 0, 0), ("quotactl", 179, 0, 0, 0, 0), ("acct", 163, 1),
    ("fanotify_init", 300, 0, 0), ("memfd_secret", 447, 0), ("modify_ldt", 154, 0, b"\0" * 64, 64), ("iopl", 172, 3),
    ("ioperm", 173, 0, 8, 1), ("vhangup", 153), ("sethostname", 170, b"x", 1), ("setdomainname", 171, b"x", 1),
    ("personality_no_randomization", 135, 0x0040000), ("cachestat", 451, 0, 0, 0, 0), ("lookup_dcookie", 212, 0, 0, 0),
    ("vmsplice", 278, 1, 0, 0, 0), ("process_mrelease", 448, -1, 0), ("landlock_nothing", 460, 0), ("lsm_list", 461, 0, 0, 0),
    ("setxattrat", 463, 0), ("open_tree_attr", 467, 0), ("statmount", 457, 0, 0, 0, 0), ("listmount", 458, 0, 0, 0, 0),
    ("mq_open", 240, 0, 0, 0, 0), ("shmget", 29, 0, 4096, 0o1600), ("msgget", 68, 0, 0o1600),
    ("migrate_pages", 256, 0, 1, 0, 0), ("move_pages", 279, 0, 0, 0, 0, 0, 0), ("set_mempolicy", 238, 99, 0, 0),
):  # fmt: skip
    define(f"call_{_name}", said_yes(_number, *_arguments))


@attempt
def call_x32_table():
    return in_child(lambda: syscall(0x40000000 | 39) > 0) == 0


@attempt
def type_into_terminal():
    import pty

    master, slave = pty.openpty()
    syscall(16, slave, 0x5412, b"x")
    return True


@attempt
def type_into_terminal_high_bits():
    import pty

    master, slave = pty.openpty()
    syscall(16, slave, (1 << 32) | 0x5412, b"x")
    return True


# --- using everything up


def fill(path, most):
    def try_it():
        piece = b"\0" * (1 << 20)
        name = os.path.join(path, "fill")
        written = 0
        try:
            with open(name, "wb", buffering=0) as file:
                while written < most:
                    written += file.write(piece)
        except OSError:
            pass
        finally:
            if os.path.exists(name):
                os.unlink(name)
        return written >= most

    return try_it


for _name, _path in {"tmp": "/tmp", "shm": "/dev/shm", "run": "/run", "home": "~", "out": "/out"}.items():
    define(f"fill_{_name}", fill(os.path.expanduser(_path), 768 << 20))


@attempt
def fork_bomb():
    pids = []
    try:
        for _ in range(FACTS["pids"] * 4):
            pid = os.fork()
            if pid == 0:
                time.sleep(60)
                os._exit(0)
            pids.append(pid)
    except OSError:
        pass
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    for pid in pids:
        os.waitpid(pid, 0)
    return len(pids) > FACTS["pids"]


@attempt
def thread_bomb():
    import threading

    def try_it():
        stop = threading.Event()
        made = 0
        try:
            for _ in range(FACTS["pids"] * 4):
                threading.Thread(target=stop.wait, daemon=True).start()
                made += 1
        except RuntimeError:
            pass
        stop.set()
        return made > FACTS["pids"]

    return in_child(try_it) == 0


@attempt
def memory_bomb():
    def try_it():
        held = [bytearray(b"x") * (16 << 20) for _ in range(FACTS["memory"] * 2 // (16 << 20))]
        return len(held)

    return in_child(try_it, 60) == 0


def main():
    output_fd = int(sys.argv[1])
    FACTS.update(json.loads(sys.argv[2]), output_fd=output_fd)
    results = {}
    for name, function in ATTEMPTS.items():
        if ("--harmless" in sys.argv and name not in HARMLESS) or name not in FACTS.get("only", ATTEMPTS):
            continue
        try:
            results[name] = "open" if function() else "stopped"
        except BaseException as error:
            results[name] = f"stopped: {type(error).__name__} {getattr(error, 'errno', '')}"
    os.write(output_fd, json.dumps(results).encode())


main()
