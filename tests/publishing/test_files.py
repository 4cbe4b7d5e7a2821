"""The canonical table, the files of an edition, and the scan before publication."""

import datetime as dt
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from masking.policy import load
from masking.table import open_table
from opendata.publishing import canonical, files, scan
from opendata.publishing.errors import PublicationRefused
from tests.publishing.chain import AGGREGATE, id_number

TABLE = pa.table(
    {
        "token": ["b" * 16, "a" * 16, "c" * 16, None],
        "n": [2, 1, None, 2],
        "x": [0.5, 3.0, None, 0.5],
        "day": [dt.date(2020, 1, 31), None, None, dt.date(2020, 1, 31)],
        "t": ['a,"b"', "", None, "=1+1\n村"],
    }
)


@pytest.fixture
def written(tmp_path):
    files.spool(TABLE.to_reader(), tmp_path)
    return tmp_path, files.write_all(tmp_path, "d", last=("token",))


def test_rows_are_sorted_with_pseudonyms_last(written):
    folder, _ = written
    assert pq.read_table(folder / "d.parquet")["n"].to_pylist() == [1, 2, 2, None]
    assert (folder / "d.csv").read_bytes().decode() == (
        "token,n,x,day,t\n"
        f"{'a' * 16},1,3,,\n"
        f'{None or ""},2,0.5,2020-01-31,"=1+1\n村"\n'
        f'{"b" * 16},2,0.5,2020-01-31,"a,""b"""\n'
        f"{'c' * 16},,,,\n"
    )


def test_every_format_holds_the_same_rows(written):
    folder, made = written
    assert made.rows == 4
    assert [file.format for file in made.files] == ["csv", "parquet", "jsonl", "xlsx"]
    assert sorted(path.name for path in folder.iterdir()) == ["d.csv", "d.jsonl", "d.parquet", "d.xlsx"]
    lines = [json.loads(line) for line in (folder / "d.jsonl").read_text().splitlines()]
    assert [line["n"] for line in lines] == [1, 2, 2, None]
    assert open_table(folder / "d.xlsx").read_all()["n"].to_pylist() == [1, 2, 2, None]
    for format_ in ("csv", "parquet"):
        assert canonical.table_digest(open_table(folder / f"d.{format_}")) == made.table_digest


def test_the_same_table_gives_the_same_bytes(written, tmp_path_factory):
    again = tmp_path_factory.mktemp("again")
    files.spool(TABLE.take([3, 1, 0, 2]).to_reader(), again)
    made = files.write_all(again, "d", last=("token",))
    assert [f for f in made.files if f.format != "xlsx"] == [f for f in written[1].files if f.format != "xlsx"]
    assert made.table_digest == written[1].table_digest


def test_an_empty_table_has_a_header_only(tmp_path):
    files.spool(TABLE.slice(0, 0).to_reader(), tmp_path)
    files.write_all(tmp_path, "d")
    assert (tmp_path / "d.csv").read_bytes() == b"token,n,x,day,t\n"


@pytest.mark.parametrize(("column", "type_"), [
    ([id_number(1), "x"], "ID_CARD"),
    (["电话 13800000001。"], "PHONE"),
    ([13800000001, 5], "PHONE"),
    (["someone@example.com"], "EMAIL"),
    ([13800000001.0, None], "PHONE"),                              # a number that passed through a spreadsheet
    (pa.array([13800000001, 2], pa.int64()).cast(pa.uint64()), "PHONE"),
    (pa.array(["张三", id_number(1)], pa.large_string()), "ID_CARD"),
    (pa.array([id_number(1)]).dictionary_encode(), "ID_CARD"),
    ([id_number(1).encode()], "ID_CARD"),
    ([[id_number(1)]], "ID_CARD"),
    (["no" + id_number(1) + "ok"], "ID_CARD"),                      # letters beside it
    ([id_number(1)[:9] + "/" + id_number(1)[9:]], "ID_CARD"),       # split
    ([id_number(1)[:9] + "\u200b" + id_number(1)[9:]], "ID_CARD"),  # split by something nobody sees
    ([id_number(1)[:9] + "\n" + id_number(1)[9:]], "ID_CARD"),
    (["tel13800000001x"], "PHONE"),
    (["tel138\u200b00000001x"], "PHONE"),
    (["tel１３８００００００１２x"], "PHONE"),
])  # fmt: skip
def test_valid_identifiers_are_found(tmp_path, column, type_):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"c": column}), path)
    assert type_ in scan.scan(path)["c"]


def test_surrogates_and_measures_pass(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"c": ["a1" * 8, "张村"], "n": [12, 99], "x": [0.5, 1380000000.0]}), path)
    assert scan.scan(path) == {}


def test_digests_codes_and_moments_pass(tmp_path):
    path = tmp_path / "t.parquet"
    texts = ["a3b13800001234f0a9c2", "2013-01-02 13:45:11.123456", "110101001001", "0.13800001234x"]
    pq.write_table(pa.table({"c": texts, "day": [dt.date(2013, 1, 2)] * 4, "x": [0.13800001234] * 4}), path)
    assert scan.scan(path) == {}


def test_labels_of_cells_are_scanned_and_measures_are_not(tmp_path):
    policy = load(AGGREGATE.replace("by: [age, sex]", "by: [sex]"))
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"sex": ["男"], "persons": [13800000000]}), path)
    scan.check_file(path, policy)
    pq.write_table(pa.table({"sex": [id_number(1)], "persons": [20]}), path)
    with pytest.raises(PublicationRefused, match="列 sex"):
        scan.check_file(path, policy)


def test_the_refusal_names_columns_and_counts_only(tmp_path):
    policy = load("version: 1\ndataset: d\nattributes:\n  c: {role: insensitive, technique: keep, reason: 说明}\n")
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"c": [id_number(1), id_number(2)]}), path)
    with pytest.raises(PublicationRefused, match="列 c：ID_CARD × 2") as refused:
        scan.check_file(path, policy)
    assert id_number(1) not in str(refused.value)


def test_a_token_column_must_hold_tokens(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"c": ["0123456789abcdef", "张三"]}), path)
    assert scan.scan(path, tokens={"c"}) == {"c": {"NOT_A_TOKEN": 1}}
