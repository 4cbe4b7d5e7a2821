"""The pieces that decide without starting anything: contracts, profiles, filters, control groups."""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.contracts import BadContract, Enforcement, JobResult, JobSpec, Limits, Quiet, SessionSpec, Ticks
from sandbox.errors import ProfileError, SandboxError
from sandbox.execution import cgroup, guards, profiles, seccomp
from sandbox.execution.jail import Bind, Jail, environment, options, read_host, virtual_files
from sandbox.settings import SandboxSettings, checked_name

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    "fields",
    [
        {"id": "../x"}, {"id": ""}, {"id": "X"}, {"id": "a" * 64}, {"workspace": "a/b"}, {"workspace": "."},
        {"kind": "raw"}, {"entry": "x.sh"}, {"entry": "../x.py"}, {"entry": ".x.py"}, {"entry": "a\u202eb.py"}, {"entry": "字" * 85 + ".py"}, {"entry": "a" * 98 + ".py"},
        {"entry": "outputs.tar"}, {"kind": "parse"}, {"entry": "x.py\n"},
    ],
)  # fmt: skip
def test_job_names_cannot_leave_their_folder(fields: dict[str, str]) -> None:
    with pytest.raises(BadContract):
        JobSpec(**{"id": "j1", "workspace": "w1", "kind": "dry", "entry": "x.py"} | fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"user_index": -1}, {"user_index": 50_000}, {"user_index": True}, {"datasets": ("../raw",)}, {"id": "a/b"},
        {"env": {"LD_PRELOAD": "/x.so"}}, {"env": {"PATH": "/x"}}, {"env": {"JUPYTERHUB_X": "a\0b"}}, {"env": {"PYTHONPATH": "x"}},
    ],
)  # fmt: skip
def test_sessions_take_names_and_the_hubs_own_variables_only(fields: dict[str, object]) -> None:
    with pytest.raises(BadContract):
        SessionSpec(**{"id": "s1", "user_index": 1, "workspace": "w1"} | fields)


@pytest.mark.parametrize(
    "fields",
    [{"memory_bytes": 0}, {"memory_bytes": 1.5}, {"pids": True}, {"cpus": 0}, {"wall_s": float("inf")}, {"wall_s": -1}],
)
def test_limits_must_be_limits(fields: dict[str, object]) -> None:
    with pytest.raises(BadContract):
        Limits(**fields)


def test_specs_survive_the_wire() -> None:
    job = JobSpec("j1", "w1", "sealed", "a.ipynb", Limits(wall_s=5.0), Quiet("L3", 1.5, Ticks(1.0, 9.0), ("w2",)))
    session = SessionSpec("s1", 3, "w1", ("people",), {"JUPYTERHUB_API_TOKEN": "secret", "SANDBOX_WORKSPACE": "w1"})
    result = JobResult("killed", "timeout", None, 1.5, 100)
    assert JobSpec.from_json(job.to_json()) == job
    assert SessionSpec.from_json(session.to_json()) == session
    assert JobResult.from_json(result.to_json()) == result
    assert "secret" not in repr(session)


def test_the_door_opens_only_if_every_required_check_is_stopped() -> None:
    from sandbox.contracts import Check

    checks = tuple(Check(name, "stopped", "", "") for name in Enforcement.REQUIRED)
    assert Enforcement(checks).open
    assert not Enforcement(()).open
    for number in range(len(checks)):
        assert not Enforcement(checks[:number] + checks[number + 1 :]).open
        worse = (*checks[:number], replace(checks[number], state="missing"), *checks[number + 1 :])
        assert not Enforcement(worse).open
    assert Enforcement.from_json(Enforcement(checks).to_json()) == Enforcement(checks)


@pytest.mark.parametrize("name", ["..", "a/b", "", "A", "a.b", "-a", "a" * 64, "a\n"])
def test_names_that_could_be_paths_are_refused(name: str) -> None:
    with pytest.raises(SandboxError):
        checked_name(name)


def test_places_lie_below_home_and_run() -> None:
    settings = SandboxSettings(Path("/h"), Path("/r"))
    assert settings.session_data("w1", "people") == Path("/h/workspaces/w1/data/people")
    assert settings.gate_dir("s1") == Path("/r/hub/gates/s1")


@pytest.mark.parametrize("name", profiles.NAMES)
def test_profiles_leave_nothing_writable_that_lasts(name: str) -> None:
    profile = profiles.load(name)
    jail = Jail(profile, profile.limits, ("true",), binds=[Bind(Path("/x"), "/opt/venv")])
    args = options(jail, profiles.base(), lambda _: 9)
    assert "--bind" not in args
    assert args.index("--remount-ro") < len(args)
    for needed in (
        "--unshare-net",
        "--unshare-pid",
        "--unshare-user",
        "--disable-userns",
        "--clearenv",
        "--new-session",
    ):
        assert needed in args
    assert args.count("--add-seccomp-fd") == 2
    sealed = [entry.path for entry in profile.tmpfs if entry.sealed]
    for path in sealed:
        assert args[len(args) - 1 - args[::-1].index(path) - 1] == "--remount-ro"


def test_profile_with_an_unknown_key_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (profiles.FOLDER / "check.yaml").read_text()
    monkeypatch.setattr(profiles, "FOLDER", tmp_path)
    for change, what in (("gaurds: true\n" + text, "gaurds"), (text.replace("version: 1", "version: 2"), "version")):
        (tmp_path / "check.yaml").write_text(change)
        profiles.load.cache_clear()
        with pytest.raises(ProfileError, match=what):
            profiles.load("check")
    profiles.load.cache_clear()


def test_unknown_profile_names_the_known_ones() -> None:
    with pytest.raises(ProfileError, match="session, sealed, check"):
        profiles.load("../sealed")


def test_jail_environment_holds_nothing_of_the_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "canary")
    profile = profiles.load("sealed")
    assert "canary" not in str(environment(Jail(profile, profile.limits, ("true",))))


def test_what_all_jails_share_is_read_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    read_host()
    profile = profiles.load("sealed")
    monkeypatch.setattr(profiles, "FOLDER", tmp_path)
    monkeypatch.setattr(seccomp, "_export", None)
    monkeypatch.setattr("builtins.open", None)
    assert options(Jail(profile, profile.limits, ("true",)), profiles.base(), lambda _: 9)
    profiles.base.cache_clear()
    with pytest.raises(ProfileError):
        profiles.base()


def test_virtual_files_depend_on_the_limits_only() -> None:
    small, large = (virtual_files(Limits(memory_bytes=size << 20)) for size in (256, 512))
    assert small["/proc/meminfo"] != large["/proc/meminfo"]
    assert {name for name in small if small[name] != large[name]} == {"/proc/meminfo"}
    assert b"cpu MHz" not in small["/proc/cpuinfo"]


def test_guards_name_themselves_in_both_languages(tmp_path: Path) -> None:
    assert {"curl", "wget", "pip", "git", "ssh"} <= {name for guard in guards.GUARDS for name in guard.commands}
    for guard, words in zip(
        guards.GUARDS, (("网络守卫", "network guard"), ("软件包守卫", "package guard")), strict=True
    ):
        script = tmp_path / guard.name
        script.write_bytes(guard.script())
        script.chmod(0o755)
        for command in guard.commands:
            (tmp_path / command).symlink_to(guard.name)
            said = subprocess.run([tmp_path / command], capture_output=True, check=False)
            assert said.returncode == 1
            assert all(each in said.stderr.decode() for each in (*words, f"{command} 不能使用", f"{command} refused"))


def test_a_notebooks_pip_names_its_guard(tmp_path: Path) -> None:
    """``%pip`` runs the module by name. Importing it fails as where there is none, and both files lie where they act."""
    contents: list[bytes] = []

    def open_data(content: bytes) -> int:
        contents.append(content)
        return len(contents)

    made = guards.options("/opt/guard", "/opt/code", open_data)
    stub = contents[int(made[made.index("/opt/code/pip.py") - 1]) - 1]
    (tmp_path / "pip.py").write_bytes(stub)
    command = [sys.executable, "-S", "-E"]
    done = subprocess.run(
        [*command, "-m", "pip", "install"], cwd=tmp_path, capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert "软件包守卫" in done.stderr.decode()
    assert "package guard" in done.stderr.decode()
    code = "try:\n    import pip\nexcept ModuleNotFoundError as error:\n    print(error.name)"
    done = subprocess.run([*command, "-c", code], cwd=tmp_path, capture_output=True, check=False, timeout=60)
    assert done.stdout == b"pip\n"


def test_filters_are_whole_bpf_programs() -> None:
    for program in seccomp.programs():
        assert len(program) % 8 == 0
        assert len(program) // 8 < 4096
    forbidden = {"ptrace", "mount", "unshare", "setns", "bpf", "io_uring_setup", "clone", "socket", "keyctl", "sysinfo"}
    assert not forbidden & set(seccomp.ALLOWED)


def test_version_1_trees_nest_below_the_own_group(tmp_path: Path) -> None:
    for name in ("memory", "pids"):
        (tmp_path / name / "own").mkdir(parents=True)
    mounts = "".join(f"cgroup {tmp_path}/{name} cgroup rw,{name} 0 0\n" for name in ("memory", "pids"))
    trees = cgroup.find(Path("/run/x"), mounts=mounts, own="4:memory:/own\n8:pids:/own\n")
    assert trees.version == 1
    assert trees.parents["memory"].parent == tmp_path / "memory" / "own"
    group = cgroup.Group(trees, "job-1")
    group.create(Limits(memory_bytes=1000, pids=5), extra_memory=24)
    assert (group.folders["memory"] / "memory.limit_in_bytes").read_text() == "1024"
    assert (group.folders["pids"] / "pids.max").read_text() == "5"
    (group.folders["memory"] / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
    assert group.out_of_memory()


class TreeOfVersion2:
    """The files of a cgroup2 mount; real kernels make them, so the group's own code writes into what is there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        (root / "cgroup.controllers").write_text("cpuset cpu io memory pids")
        (root / "cgroup.subtree_control").write_text("")
        self.mounts = f"cgroup2 {root} cgroup2 rw,nosuid 0 0\n"


def test_version_2_sets_its_own_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = TreeOfVersion2(tmp_path / "cg")
    written: list[tuple[str, str]] = []
    plain = Path.write_text

    def write(path: Path, text: str, *more: object) -> int:
        written.append((path.name, text))
        if path.name == "cgroup.subtree_control" and text.startswith("+"):
            there = path.read_text().split() if path.exists() else []
            return plain(path, " ".join([*there, text[1:]]))
        return plain(path, text)

    monkeypatch.setattr(Path, "write_text", write)
    trees = cgroup.find(Path("/run/x"), mounts=tree.mounts, own="0::/x\n")
    assert trees.version == 2
    assert {"memory", "pids", "cpu", "freezer"} <= trees.controllers
    group = cgroup.Group(trees, "job-1")
    group.create(Limits(memory_bytes=4096, pids=7, cpus=0.5))
    assert {("memory.max", "4096"), ("memory.swap.max", "0"), ("pids.max", "7"), ("cpu.max", "50000 100000")} <= set(
        written
    )
    folder = group.folders["memory"]
    plain(folder / "memory.events", "oom 1\noom_kill 1\n")
    plain(folder / "memory.peak", "2048\n")
    plain(folder / "memory.current", "1000\n")
    assert group.out_of_memory()
    assert group.peak_memory() == 2048
    group.settle(Limits(memory_bytes=4096))
    assert written[-1] == ("memory.max", "5096")
    group.freeze(True)
    assert written[-1] == ("cgroup.freeze", "1")


def test_without_memory_and_process_controllers_there_is_no_tree(tmp_path: Path) -> None:
    (tmp_path / "cg").mkdir()
    (tmp_path / "cg" / "cgroup.controllers").write_text("hugetlb")
    assert cgroup.find(Path("/r"), mounts=f"x {tmp_path}/cg cgroup2 rw 0 0\n", own="0::/\n") is cgroup.NOWHERE
    assert cgroup.find(Path("/r"), as_root=False) is cgroup.NOWHERE


def test_code_for_jails_needs_the_standard_library_only_to_load() -> None:
    """It is mounted beside the kernels' packages, never beside the service's."""
    for path in [ROOT / "sandbox/contracts.py", *(ROOT / "sandbox/inside").glob("*.py")]:
        for node in ast.parse(path.read_text()).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                top = name.split(".")[0]
                assert top in sys.stdlib_module_names or name.startswith(("sandbox.contracts", "sandbox.inside")), (
                    path,
                    name,
                )


@pytest.mark.integration
def test_the_launcher_says_how_to_start_it() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "sandbox.execution", "--help"], cwd=ROOT, capture_output=True, check=True
    )
    assert b"--worker-uid" in said.stdout
