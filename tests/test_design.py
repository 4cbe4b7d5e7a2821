"""Design rules that are tests: the picture matches the contracts, docs link to what exists, nothing names this machine."""

from __future__ import annotations

import re
import subprocess
import tomllib

import pytest

from tests.conftest import ROOT

CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]


def layers(package: str) -> list[set[str]]:
    """The layers of a package from high to low, as the contract has them."""
    contract = next(each for each in CONTRACTS if each.get("containers") == [package])
    return [set(re.split(r"\s*[:|]\s*", layer)) for layer in contract["layers"]]


@pytest.mark.parametrize("package", ["masking", "opendata", "sandbox"])
def test_architecture_picture_matches_the_import_contracts(package: str) -> None:
    picture = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    drawn = next(line for line in picture.split(f"subgraph {package}\n")[1].splitlines() if "-->" in line)
    assert [set(label.split(" · ")) for label in re.findall(r'\["([^"]+)"\]', drawn)] == layers(package)


@pytest.mark.parametrize(
    "page", sorted(str(path.relative_to(ROOT)) for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
)
def test_links_between_pages_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    targets = [target.split("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    missing = [each for each in targets if each and "://" not in each and not ((ROOT / page).parent / each).exists()]
    assert missing == []


def test_contracted_top_level_is_there() -> None:
    names = {
        "opendata",
        "sandbox",
        "masking",
        "policies",
        "notebooks",
        "tests",
        "pyproject.toml",
        "deploy",
        "run",
        "LICENSE",
    }
    assert names <= {path.name for path in ROOT.iterdir()}


def test_committed_files_name_no_machine_and_no_registry() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    pattern = re.compile(r"/wor[k]/|(?:files\.)?pythonhoste[d]\.org|registry\.npmj[s]|deb\.debia[n]\.org")
    found = []
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if path.is_file() and path.stat().st_size < 2_000_000:
            text = path.read_bytes().decode("utf-8", errors="replace")
            found += [f"{name}:{text[: match.start()].count(chr(10)) + 1}" for match in pattern.finditer(text)]
    assert found == []
