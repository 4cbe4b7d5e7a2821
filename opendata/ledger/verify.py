"""Verify a ledger export offline: ``python -m opendata.ledger.verify EXPORT --key PUB [--earlier CHECKPOINT]``.

Needs the export, the public key (a verifier line) and, if one was kept, an earlier checkpoint; only the standard
library and ``cryptography``. Steps: 1 the header is well-formed; 2 every line is in canonical form, in order; 3 every
opening fits its commitment; 4 every checkpoint in the file is signed by the key and is the root of that many leaves;
5 the last one covers the whole file; 6 the earlier checkpoint, signed by the same key, is a root of this very log.
Openings may be absent (erased, or another party's); their number is reported.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from opendata.errors import LedgerError
from opendata.ledger import tree
from opendata.ledger.checkpoint import Checkpoint, Verifier
from opendata.ledger.leaf import VERSION, canonical, commitment


class ExportError(LedgerError):
    """The export is not what the key's holder signed; the sentence says where."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What was proven."""

    origin: str
    entries: int
    root: str
    openings: int
    checkpoints: int
    earlier: int | None


def verify_export(path: Path, public_key: Path | str, earlier_checkpoint: str | None = None) -> Verified:
    """Prove the export against the key (a file or the verifier line itself) and an earlier signed checkpoint.

    Raises LedgerError (ExportError, CheckpointError) with the first thing that does not hold.
    """
    verifier = Verifier.parse(public_key if isinstance(public_key, str) else _text(public_key))
    earlier = verifier.verify(earlier_checkpoint) if earlier_checkpoint is not None else None
    checkpoints = _checkpoints(_last_line(path), verifier)
    wanted = {each.size for each in checkpoints} | ({earlier.size} if earlier is not None else set())
    lines = _lines(path)
    header = _header(next(lines, ""), verifier)
    roots, openings = _leaves(lines, header["entries"], wanted)
    if next(lines, None) is None or next(lines, None) is not None:
        raise ExportError("最后一个存证之后应恰有一行检查点（not exactly one line after the last entry）")
    for checkpoint in checkpoints:
        _check_root(checkpoint, roots, "文件中的检查点（a checkpoint in the file）")
    if [each.size for each in checkpoints] != sorted({each.size for each in checkpoints}):
        raise ExportError("检查点次序不对（checkpoints out of order）")
    if checkpoints[-1].size != header["entries"]:
        raise ExportError("最后的检查点没有覆盖全部存证（the last checkpoint does not cover the file）")
    if earlier is not None:
        _check_root(earlier, roots, "先前保存的检查点（the earlier checkpoint）：账本被改写或截短")
    return Verified(
        origin=header["origin"],
        entries=header["entries"],
        root=roots[header["entries"]].hex(),
        openings=openings,
        checkpoints=len(checkpoints),
        earlier=earlier.size if earlier is not None else None,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; exit code 0 verified, 1 not, 2 wrong usage."""
    parser = argparse.ArgumentParser(
        prog="python -m opendata.ledger.verify", description="离线验证存证导出文件 / verify a ledger export offline"
    )
    parser.add_argument("export", type=Path)
    parser.add_argument("--key", type=Path, required=True, help="公钥文件 / verifier line (checkpoint.pub)")
    parser.add_argument("--earlier", type=Path, help="先前保存的检查点 / an earlier checkpoint you kept")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    try:
        earlier = _text(options.earlier) if options.earlier else None
        verified = verify_export(options.export, options.key, earlier)
    except (LedgerError, OSError) as error:
        sentence = str(error) if isinstance(error, LedgerError) else f"{error.strerror}: {error.filename}"
        if options.json:
            sys.stdout.write(json.dumps({"verified": False, "error": sentence}, ensure_ascii=False) + "\n")
        else:
            sys.stderr.write(f"验证失败：{sentence}\n")
        return 1
    if options.json:
        sys.stdout.write(json.dumps({"verified": True, **asdict(verified)}, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(
            f"验证通过：{verified.origin}，{verified.entries} 条存证，根 {verified.root[:16]}…，"
            f"{verified.openings} 条附有内容 (verified: {verified.entries} entries)\n"
        )
    return 0


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError:
        raise ExportError(f"{path.name} 不是 UTF-8 文本（not UTF-8）") from None


def _lines(path: Path) -> Iterator[str]:
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                raise ExportError(f"第 {number} 行没有结束，文件被截断（truncated at line {number}）")
            try:
                yield line[:-1].decode()
            except UnicodeDecodeError:
                raise ExportError(f"第 {number} 行不是 UTF-8（line {number} is not UTF-8）") from None


def _last_line(path: Path) -> str:
    last = ""
    for line in _lines(path):
        last = line
    return last


def _json(line: str, what: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
        exact = isinstance(value, dict) and canonical(value) == line
    except (ValueError, RecursionError):
        exact = False
    if not exact:
        raise ExportError(f"{what} 不是规范格式，已被改动（not in canonical form）")
    return value


def _header(line: str, verifier: Verifier) -> dict[str, Any]:
    header = _json(line, "文件头（header）")
    entries = header.get("entries")
    expected = {"entries": entries, "kind": "opendata-ledger-export", "origin": verifier.name, "version": VERSION}
    if header != expected or not isinstance(entries, int) or isinstance(entries, bool) or entries < 1:
        raise ExportError("文件头不对，或属于另一个账本（header does not fit this key's log）")
    return header


def _leaves(lines: Iterator[str], entries: int, wanted: set[int]) -> tuple[dict[int, bytes], int]:
    """The roots at the wanted sizes, and how many openings there were. Memory does not grow with the log."""
    frontier, roots, openings = tree.Frontier(), {}, 0
    for index in range(entries):
        entry = _json(next(lines, ""), f"存证 {index}（entry {index}）")
        if entry.keys() != {"index", "leaf", "opening"} or entry["index"] != index:
            raise ExportError(f"存证 {index} 缺失或次序不对（entry {index} is missing or out of order）")
        leaf = entry["leaf"]
        if not isinstance(leaf, dict) or leaf.keys() != {"commitment", "time", "type", "version"}:
            raise ExportError(f"存证 {index} 的叶子格式不对（leaf {index} is malformed）")
        if entry["opening"] is not None:
            _check_opening(entry["opening"], leaf, index)
            openings += 1
        frontier.append(tree.leaf_hash(canonical(leaf).encode()))
        if frontier.size in wanted:
            roots[frontier.size] = frontier.root()
    return roots, openings


def _check_opening(opening: Any, leaf: dict[str, Any], index: int) -> None:
    try:
        fits = commitment(bytes.fromhex(opening["salt"]), canonical(opening["payload"])) == leaf["commitment"]
        exact = opening.keys() == {"payload", "salt"} and bytes.fromhex(opening["salt"]).hex() == opening["salt"]
    except (KeyError, TypeError, ValueError, AttributeError):
        fits = exact = False
    if not (fits and exact):
        raise ExportError(f"存证 {index} 的内容与承诺不符（opening {index} does not fit its commitment）")


def _checkpoints(line: str, verifier: Verifier) -> list[Checkpoint]:
    notes = _json(line, "检查点（checkpoints）").get("checkpoints")
    if not isinstance(notes, list) or not notes or not all(isinstance(note, str) for note in notes):
        raise ExportError("文件没有检查点（no checkpoint in the file）")
    return [verifier.verify(note) for note in notes]


def _check_root(checkpoint: Checkpoint, roots: dict[int, bytes], what: str) -> None:
    if roots.get(checkpoint.size) != checkpoint.root:
        raise ExportError(f"大小为 {checkpoint.size} 的根哈希与{what}不符（root does not match the checkpoint）")


if __name__ == "__main__":
    sys.exit(main())
