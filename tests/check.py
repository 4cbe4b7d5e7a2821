"""`./run check` and `./run fix`: everything a machine can judge about the source, without running the product.

Each check prints one line; the first lines of a failing tool's output follow it. Nothing is changed without --fix.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
# Files that are made from code: (file, command that prints its right content).
GENERATED: list[tuple[str, list[str]]] = [
    ("docs/techniques.md", [sys.executable, "-m", "masking.cli.docs"]),
    ("docs/states.md", [sys.executable, "-m", "tests.docs", "states"]),
    ("policies/masking-policy.schema.json", [sys.executable, "-m", "tests.docs", "policy-schema"]),
    ("sandbox/inside/worked_notebooks.json", [sys.executable, "-m", "tests.docs", "worked-notebooks"]),
    ("README.md", [sys.executable, "-m", "tests.docs", "readme"]),
]
FORBIDDEN = re.compile(r"zh[-_]core[-_]web|en[-_]core[-_]web")
HOSTS = re.compile(r"https?://[^\s\"']*(pypi|npmjs|pythonhosted|debian\.org)|\"resolved\":|index-url", re.IGNORECASE)


def main(arguments: list[str]) -> int:
    """Run all checks; with --fix, let formatters and generators write first."""
    fix = "--fix" in arguments
    with ThreadPoolExecutor(1 if fix else 2) as pool:  # types take as long as all others together
        begun = [(name, pool.submit(check)) for name, check in checks(fix=fix)]
        failed = [name for name, check in begun if not report(name, check.result())]
    if failed:
        print(f"\n{len(failed)} failed: {', '.join(failed)}")
    return 1 if failed else 0


def checks(*, fix: bool) -> Iterator[tuple[str, Callable[[], str]]]:
    """Name and check; a check returns what is wrong, empty when nothing is."""
    lint = ["--fix"] if fix else []
    yield "format", lambda: run([str(BIN / "ruff"), "format", *([] if fix else ["--check"]), "."])
    yield "lint", lambda: run([str(BIN / "ruff"), "check", "--output-format", "concise", *lint, "."])
    yield "types", lambda: run([str(BIN / "mypy")])
    yield "imports", lambda: run([str(BIN / "lint-imports"), "--no-logo"])
    yield "generated files", lambda: generated(fix=fix)
    yield "no registry hosts in locks", lambda: search(["requirements/*.lock", "deploy/*/package-lock.json"], HOSTS)
    yield "no squatted model packages", lambda: search(["requirements/*.in", "requirements/*.lock"], FORBIDDEN)
    yield "no third-party code committed", third_party


def report(name: str, trouble: str) -> bool:
    """Print the verdict of one check."""
    print(("ok    " if not trouble else "FAIL  ") + name, flush=True)
    if trouble:
        print("\n".join(f"      {line}" for line in trouble.splitlines()[:40]))
    return not trouble


def run(command: list[str]) -> str:
    """Output of a tool that failed, else nothing."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else (done.stdout + done.stderr).strip() or f"exit {done.returncode}"


def generated(*, fix: bool) -> str:
    """Files made from code hold what the code says now."""
    wrong = []
    for name, command in GENERATED:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            wrong.append(f"{name}: its generator failed: {done.stderr.strip().splitlines()[-1:]}")
            continue
        path = ROOT / name
        if path.exists() and path.read_text(encoding="utf-8") == done.stdout:
            continue
        if fix:
            path.write_text(done.stdout, encoding="utf-8")
        else:
            wrong.append(f"{name} is not what the code says; run ./run fix")
    return "\n".join(wrong)


def search(globs: list[str], pattern: re.Pattern[str]) -> str:
    """Files and lines in which the pattern stands."""
    return "\n".join(
        f"{path.relative_to(ROOT)}:{number}"
        for glob in globs
        for path in sorted(ROOT.glob(glob))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    )


def third_party() -> str:
    """No vendored scripts or packages among the committed files."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    bad = [
        name
        for name in listed.stdout.splitlines()
        if "node_modules" in name or name.endswith((".whl", ".min.js", ".tgz"))
    ]
    return "\n".join(bad)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
