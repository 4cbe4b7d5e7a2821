"""``masking tabulate``: what leaves, what the internal report says, and what is refused."""

from __future__ import annotations

import base64
import csv
import json

import pytest

# Persons by district and sex; one cell of two persons is primary, so its row and column need others hidden.
COUNTS = {("东", "f"): 30, ("东", "m"): 25, ("西", "f"): 2, ("西", "m"): 40, ("南", "f"): 35, ("南", "m"): 28}


@pytest.fixture
def files(tmp_path):
    lines = []
    for (district, sex), count in COUNTS.items():
        lines += [f"P{len(lines) + n},{district},{sex},{100 + n % 7}" for n in range(count)]
    (tmp_path / "raw.csv").write_text("person,district,sex,cost\n" + "\n".join(lines) + "\n", "utf-8")
    (tmp_path / "district.csv").write_text("东;城区\n西;城区\n南;郊区\n", "utf-8")
    keys = {"version": 1, "keys": {"cells": base64.b64encode(b"k" * 32).decode()}}
    (tmp_path / "keys.json").write_text(json.dumps(keys))
    return tmp_path


@pytest.fixture
def tabulate(run, files):
    def tabulate_(*more, by=("district", "sex"), measures=("n=count:*",)):
        given = [word for name in by for word in ("--by", name)]
        given += [word for name in measures for word in ("--measure", name)]
        return run("tabulate", files / "raw.csv", files / "out.csv", *given, *more)

    return tabulate_


def read(path):
    with path.open(encoding="utf-8") as file:
        return {(row["district"], row["sex"]): row["n"] for row in csv.DictReader(file)}


def test_a_small_cell_is_hidden_and_cannot_be_worked_out(files, tabulate):
    code, out, err = tabulate("--unit", "person", "--report", files / "report.json")
    assert (code, err) == (0, "")
    assert "审核" in out
    cells = read(files / "out.csv")
    assert cells["Total", "Total"] == "160"
    assert cells["西", "f"] == ""
    hidden = {cell for cell, value in cells.items() if value == ""}
    for at in (0, 1):  # not alone in its row, nor in its column
        assert len([cell for cell in hidden if cell[at] == ("西", "f")[at]]) > 1
    report = json.loads((files / "report.json").read_text("utf-8"))
    assert (report["version"], report["primary"], report["persons"]) == (1, 1, 160)
    assert report["audit"]["broken"] == []
    assert report["audit"]["asked"] > 0
    detail = {(each["district"], each["sex"]): each for each in report["cells_in_detail"]}
    assert (detail["西", "f"]["status"], detail["西", "f"]["persons"]) == ("primary", 2)
    assert {detail[cell]["status"] for cell in hidden - {("西", "f")}} == {"complementary"}


def test_json_tells_no_cell(tabulate):
    code, out, _ = tabulate("--json")
    told = json.loads(out)
    assert (code, told["cells"], told["rules"]["threshold"]) == (0, 12, 10)
    assert "cells_in_detail" not in told
    assert "东" not in out


def test_hierarchies_and_sums(files, tabulate):
    code, out, err = tabulate(
        *("--rule", "dominance=1,0.9", "--rule", "threshold=3", "--en"),
        by=(f"district={files / 'district.csv'}", "sex"),
        measures=("n=count:*", "total=sum:cost"),
    )
    assert (code, err) == (0, "")
    assert "stay safe" in out
    cells = read(files / "out.csv")
    assert cells["城区", "Total"] == "97"
    assert cells["郊区", "Total"] == "63"


def test_rounding_and_noise(files, tabulate):
    assert tabulate("--method", "rounding", "--rule", "base=5")[0] == 0
    cells = {cell: int(value) for cell, value in read(files / "out.csv").items()}
    assert all(value % 5 == 0 for value in cells.values())
    assert sum(cells[district, "Total"] for district in "东西南") == cells["Total", "Total"]
    asked = ("--method", "cell_key", "--rule", "key=cells", "--unit", "person")
    code, _, err = tabulate(*asked)
    assert (code, "'cells'" in err) == (1, True)  # the key was not given
    assert tabulate(*asked, "--keys", files / "keys.json")[0] == 0
    noisy = {cell: int(value) for cell, value in read(files / "out.csv").items()}
    assert all(abs(noisy[cell] - count) <= 5 for cell, count in COUNTS.items())


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (("--rule", "thresold=5"), 1, "did you mean 'threshold'?"),
        (("--rule", "threshold"), 2, "NAME=VALUE"),
        (("--measure", "m=median:cost"), 1, "must be one of"),
        (("--measure", "m=cost"), 2, "FUNCTION"),
        (("--by", "sex"), 2, "--by"),
        (("--by", "age"), 1, "age"),
        (("--rule", "threshold=1000"), 1, "no cell can be shown"),
    ],
)
def test_a_refusal_is_one_sentence_and_leaves_no_file(files, tabulate, more, code, words):
    found, out, err = tabulate(*more, "--report", files / "report.json")
    assert (found, out) == (code, "")
    assert words in err
    assert "Traceback" not in err
    assert not (files / "out.csv").exists()
    assert not (files / "report.json").exists()
