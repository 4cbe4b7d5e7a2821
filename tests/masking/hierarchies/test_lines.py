"""Hierarchy files, line by line: what is right is read whole; every fault is one sentence with a line and no value."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masking.errors import InvalidParameter
from masking.hierarchies import Hierarchy, as_hierarchy, checked_rows

SECRET = "机密"


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"a;x;*\nb;x;*\n", [["a", "x", "*"], ["b", "x", "*"]]),
        (b"\xef\xbb\xbfa,x\r\nb,x\r\n", [["a", "x"], ["b", "x"]]),  # as Excel saves it
        (b"a;x\n\nb;x\n\n", [["a", "x"], ["b", "x"]]),  # empty lines
        (b"a;x\na;x\n", [["a", "x"]]),  # the same line twice
        (b";x\nb;x\n", [["", "x"], ["b", "x"]]),  # the empty text is a value
        (b'"a;b";x\n"c\nd";x\n', [["a;b", "x"], ["c\nd", "x"]]),
        (b"a;a;x\nb;a;x\n", [["a", "a", "x"], ["b", "a", "x"]]),  # a level that merges nothing of a
        (b"4;2;1\n2;1;1\n", [["4", "2", "1"], ["2", "1", "1"]]),  # a name at two levels, and no circle
    ],
)
def test_what_is_right(content, rows):
    assert checked_rows(content, "h.csv") == rows


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("", None, "is empty"),
        ("\n\n", None, "is empty"),
        (f"a;x\n{SECRET};\n", 2, "a hole at level 1"),
        (f"a;x;y\n\n{SECRET}; ;y\n", 3, "a hole at level 1"),
        (f"a;x;y\n{SECRET};x\n", 2, "2 levels, the first line has 3"),
        (f"a;x\n{SECRET};x;y\n", 2, "3 levels, the first line has 2"),
        (f"{SECRET}\nb\n", 1, "levels above it"),
        (";".join(SECRET * 101) + "\n", 1, "levels above it"),
        (f"{SECRET};x\nb;x\n{SECRET};y\n", 3, "stands in line 1 already"),
        (f"a;x;p\nb;{SECRET};p\nc;x;q\n", 3, "level 1 is what it is in line 1, but level 2 is not"),
        (f"{SECRET};*;x\n", 1, "something above *"),
        (f"{SECRET};x;{SECRET}\n", 1, "a circle"),
        (f"a;{SECRET};x\nb;x;{SECRET}\n", 2, "a circle"),
        (f"a;x;{SECRET};z\nb;{SECRET};z;x\n", 2, "a circle"),
        (f'a;x\n"{SECRET};x\nb;x\n', 2, "no CSV"),
        (f'a;x\n"{SECRET}"s;x\n', 2, "no CSV"),
        (f'z;x\n"a\nb";x\n{SECRET}\n', 4, "1 levels"),  # lines of the file, also where a value has two
        (f"a;x\n{SECRET}\0;x\n", 2, "not text"),
    ],
)
def test_every_fault_is_told_by_its_line(content, line, words):
    _refused(content.encode(), line, words)


def test_another_encoding_is_told_by_the_line_where_it_shows():
    _refused(b"a;x\nb;x\n" + f"{SECRET};x\n".encode("gb18030"), 3, "not UTF-8")
    _refused(f"{SECRET};x\n".encode("utf-16"), 1, "not UTF-8")


def _refused(content, line, words):
    with pytest.raises(InvalidParameter) as refused:
        checked_rows(content, "h.csv")
    said = str(refused.value)
    assert words in said
    assert ("line" in said.partition(":")[0]) == (line is not None)
    if line is not None:
        assert f", line {line}:" in said
    assert not set(SECRET) & set(said)


names = st.sampled_from("abcd")


@given(st.lists(st.tuples(names, names, names), min_size=1, max_size=6))
def test_what_passes_is_a_hierarchy_of_the_library(rows):
    written = io.StringIO()
    csv.writer(written, delimiter=";").writerows(rows)
    try:
        read = checked_rows(written.getvalue().encode(), "h.csv")
    except InvalidParameter:
        return
    made = as_hierarchy({leaf: up for leaf, *up in read})
    assert made.rows() == Hierarchy.of(read).rows()
    assert {tuple(row) for row in read} == set(rows)


@given(st.lists(st.tuples(names, names, names), min_size=1, max_size=6))
def test_what_the_library_refuses_does_not_pass(rows):
    try:
        Hierarchy.of([list(row) for row in rows])
    except InvalidParameter:
        written = "\n".join(";".join(row) for row in rows)
        with pytest.raises(InvalidParameter):
            checked_rows(written.encode(), "h.csv")
