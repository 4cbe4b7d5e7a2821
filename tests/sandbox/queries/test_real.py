"""With the real portal and worker: registered, reviewed, computed by the durable job, asked over HTTP, in the ledger."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from opendata.cli.client import Refused
from tests.chain.steps import csv, publish
from tests.conftest import Service

pytestmark = pytest.mark.integration
POLICY = """\
version: 1
dataset: counted
title: {zh: 站点, en: stations}
level: L1
attributes:
  region: {role: insensitive, reason: 公开的区域代码, codes: [north, south]}
  kind:   {role: insensitive, reason: 公开的类别代码, codes: [a, b, c]}
  flow:   {role: insensitive, reason: 公开的流量}
sandbox:
  tables:
    dimensions: {region: {other: false}, kind: {other: false}}
    measures: {flow: {lower: 0, upper: 100}}
"""


def test_from_a_reviewed_policy_to_an_answer(service: Service) -> None:
    rng = np.random.default_rng(2)
    frame = pl.DataFrame(
        {"region": rng.choice(["north", "south"], 6000), "kind": rng.choice(list("abc"), 6000),
         "flow": rng.integers(0, 100, 6000)}
    )  # fmt: skip
    publish(service, "counted", csv(frame), POLICY, opening_class="conditional", officer="officer-transport")
    officer, anyone = service.client("officer-transport"), service.client()
    assert anyone.get("/api/v1/datasets/counted/tables")["state"] == "none"
    with pytest.raises(Refused):
        service.client("officer-health").post("/api/v1/datasets/counted/tables")
    asked = officer.post("/api/v1/datasets/counted/tables")
    officer.wait_job(asked["job_id"])
    answer = anyone.get("/api/v1/datasets/counted/tables/query", by="region,kind", measures="n=count,flow=flow:mean")
    assert (answer["cells"], answer["hidden"]) == (12, 0)
    true = {(region, kind): (count, mean) for region, kind, count, mean in
            frame.group_by("region", "kind").agg(pl.len(), pl.col("flow").mean()).iter_rows()}  # fmt: skip
    for region, kind, n, n_error, flow, flow_error in answer["rows"]:
        count, mean = true[region, kind]
        assert abs(n - count) <= 3 * n_error
        assert abs(flow - mean) <= 3 * flow_error
    with pytest.raises(Refused) as refused:
        officer.post("/api/v1/datasets/counted/tables")
    assert refused.value.status == 409
    cube = answer["cube"]
    recorded = [kind for kind, subject, payload in service.entries() if cube in subject or cube in payload]
    assert sorted(recorded) == [*["sandbox:tables:answer"] * 2, "sandbox:tables:publish", "sandbox:tables:request"]
