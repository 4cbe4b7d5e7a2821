"""Promise 2: recorded before it happens; whoever holds an earlier checkpoint finds every rewrite."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chain.steps import csv, grant, people, people_policy, publish
from tests.conftest import Service

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def published(service: Service) -> dict:
    edition = publish(
        service, "recorded", csv(people()), people_policy("recorded", keyed=False), opening_class="conditional"
    )
    return {"edition": edition, "key": grant(service, "recorded")}


def cli(service: Service, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from opendata.cli import main; main()", *arguments],
        env=service.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def export(service: Service, tmp_path: Path) -> Path:
    target = tmp_path / "ledger.jsonl"
    done = cli(service, "ledger", "export", str(target))
    assert done.returncode == 0, done.stderr
    return target


def test_tampering_with_any_entry_is_found(service: Service, published: dict, tmp_path: Path) -> None:
    good = export(service, tmp_path)
    assert cli(service, "ledger", "verify", str(good)).returncode == 0
    lines = good.read_text("utf-8").splitlines()
    assert len(lines) > 5
    for number in range(len(lines)):
        changed = list(lines)
        record = changed[number]
        position = next(index for index in range(len(record) // 2, len(record)) if record[index].isalnum())
        swap = "1" if record[position] != "1" else "2"
        changed[number] = record[:position] + swap + record[position + 1 :]
        bad = tmp_path / "bad.jsonl"
        bad.write_text("\n".join(changed) + "\n", "utf-8")
        assert verify_directly(service, bad) is not None, f"line {number} was changed and nobody noticed"
    shorter = tmp_path / "shorter.jsonl"
    shorter.write_text("\n".join(lines[:1] + lines[2:]) + "\n", "utf-8")
    assert verify_directly(service, shorter) is not None


def verify_directly(service: Service, path: Path) -> str | None:
    """The verifier's complaint, without starting a process for each line."""
    from opendata.errors import LedgerError
    from opendata.ledger.verify import verify_export

    key = (service.settings().keys_dir / "public" / "checkpoint.pub").read_text("utf-8")
    try:
        verify_export(path, key)
    except LedgerError as error:
        return str(error)
    return None


def test_tampered_edition_file_or_receipt_is_found(service: Service, published: dict, tmp_path: Path) -> None:
    firm = service.client(app_key=published["key"])
    file = tmp_path / "recorded.csv"
    file.write_bytes(firm.request("GET", "/api/v1/datasets/recorded/download.csv").content)
    receipt = tmp_path / "receipt.json"
    receipt.write_bytes(firm.request("GET", "/api/v1/datasets/recorded/receipt").content)
    key = service.settings().keys_dir / "public" / "release.pub"

    def verdict(data: Path, evidence: Path) -> str:
        return cli(service, "verify", str(data), "--receipt", str(evidence), "--key", str(key)).stdout.strip()

    assert verdict(file, receipt) == "exact"
    flipped = tmp_path / "flipped.csv"
    raw = bytearray(file.read_bytes())
    raw[-3] ^= 1
    flipped.write_bytes(raw)
    assert verdict(flipped, receipt) in {"not ours", ""}
    other = tmp_path / "crlf.csv"
    other.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert verdict(other, receipt) == "same table, other bytes"
    document = json.loads(receipt.read_text("utf-8"))
    forged = tmp_path / "forged.json"
    forged.write_text(json.dumps(document).replace(document.get("dataset", "recorded"), "forged"), "utf-8")
    done = cli(service, "verify", str(file), "--receipt", str(forged), "--key", str(key))
    assert done.returncode == 1


def test_every_exit_has_an_entry(service: Service, published: dict) -> None:
    edition = published["edition"]["id"]
    recorded = {kind for kind, subject, payload in service.entries() if edition in subject + payload}
    assert "publishing:edition:publish" in recorded
