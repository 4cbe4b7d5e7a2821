"""Is it ours? Answered to anyone, so hostile files and names cost nothing and say nothing."""

import io
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from masking.taxonomy import OpeningClass
from opendata.publishing.verify import Verdict, verify_file
from tests.publishing.chain import FLIGHTS, PLACES, flights_csv, places_csv, start


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Nothing here changes it."""
    chain = start(tmp_path_factory.mktemp("verify") / "home")
    dataset = chain.dataset("places")
    edition = chain.build(
        chain.upload(dataset, "places.csv", places_csv()), chain.policy(dataset, PLACES), OpeningClass.UNCONDITIONAL
    )
    chain.publish(edition)
    yield chain, edition
    chain.database.dispose()


def verdict(chain, content, name):
    with chain.database.session() as session:
        return verify_file(session, io.BytesIO(content), name).verdict


def test_the_three_answers(published):
    chain, edition = published
    exact = chain.file(edition, "csv").read_bytes()
    assert verdict(chain, exact, "x.csv") is Verdict.EXACT
    assert verdict(chain, exact.replace(b"\n", b"\r\n"), "x.csv") is Verdict.SAME_TABLE
    assert verdict(chain, exact + b"1,x\n", "x.csv") is Verdict.NOT_OURS


def test_a_conditional_edition_is_never_ours_in_public(chain):
    dataset = chain.dataset("flights")
    edition = chain.build(
        chain.upload(dataset, "f.csv", flights_csv()), chain.policy(dataset, FLIGHTS), OpeningClass.CONDITIONAL
    )
    chain.publish(edition)
    assert verdict(chain, chain.file(edition, "csv").read_bytes(), "x.csv") is Verdict.NOT_OURS


def test_a_small_file_of_very_many_rows_is_not_read(published):
    chain, _ = published
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, pa.schema([("code", pa.int64())])) as writer:
        batch = pa.record_batch([pa.nulls(1 << 20, pa.int64())], names=["code"])
        for _ in range(40):
            writer.write_batch(batch)
    started = time.process_time()
    assert verdict(chain, sink.getvalue().to_pybytes(), "x.parquet") is Verdict.NOT_OURS
    assert time.process_time() - started < 20


@pytest.mark.parametrize("name", ["", "x", "a.\0csv", "../../x.csv", "a/b.csv", ".csv", "x." + "y" * 300])
def test_no_file_name_is_an_error(published, name):
    chain, _ = published
    assert verdict(chain, b"a,b\n1,2\n", name) is Verdict.NOT_OURS
