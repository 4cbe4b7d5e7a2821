"""Bad outputs of a second red team, which had not read the first set. Each says in its name what it hides."""

from __future__ import annotations

import base64
import codecs
import hashlib
import io
import json
import zlib

import numpy as np
import polars as pl

from tests.sandbox.airlock.seeded.other_tables import HOSPITALS, WARDS
from tests.sandbox.airlock.seeded.path import Program, csv

P: dict[str, Program] = {}


def bad(name: str):

    def put(program: Program) -> Program:
        P[name] = program
        return program

    return put


def r5(e: pl.Expr) -> pl.Expr:
    return (e / 5).round().cast(pl.Int64) * 5


def n5(x: float) -> int:
    return round(x / 5) * 5


def counted(f: pl.DataFrame, *keys: str) -> pl.DataFrame:
    return f.group_by(*keys).agg(r5(pl.len()).alias("n")).filter(pl.col("n") >= 10).sort(*keys)


@bad("raw rows as parquet with a count of ten")
def _002(t):
    b = io.BytesIO()
    t.claims.head(80).select(area="county", dept="ward", stay="los", cost="fee").with_columns(
        n=pl.lit(10)
    ).write_parquet(b)
    return {"rows.parquet": b.getvalue()}


@bad("person ids as categories with a count")
def _003(t):
    f = (
        t.claims.group_by("person_id")
        .agg(pl.len().alias("k"), pl.col("fee").mean().alias("mean_fee"))
        .sort("k", descending=True)
        .head(40)
    )
    return {"top.csv": csv(f.select(category="person_id", n=pl.lit(50), mean_fee=pl.col("mean_fee").round(0)))}


@bad("base64 of name and date of birth")
def _005(t):
    return {
        "t.csv": csv(
            pl.DataFrame(
                {
                    "group": [
                        base64.b64encode(f"{a}{b}".encode()).decode()
                        for a, b in t.claims.select("name", "birth_date").head(25).rows()
                    ],
                    "n": [40] * 25,
                }
            )
        )
    }


@bad("rot13 and reversed person ids")
def _006(t):
    return {
        "t.csv": csv(
            pl.DataFrame(
                {"code": [codecs.encode(x, "rot13")[::-1] for x in t.claims["person_id"].head(30)], "n": [30] * 30}
            )
        )
    }


@bad("claim id times three plus seven")
def _008(t):
    return {
        "t.csv": csv(
            pl.DataFrame(
                {"ward": WARDS, "n": [500] * 11, "index_total": [x * 3 + 7 for x in t.claims["claim_id"].head(11)]}
            )
        )
    }


@bad("claim id xor a key")
def _009(t):
    return {
        "t.csv": csv(
            pl.DataFrame(
                {"hospital": HOSPITALS, "n": [500] * 18, "score": [x ^ 5921370 for x in t.claims["claim_id"].head(18)]}
            )
        )
    }


@bad("an identity card split over two number columns")
def _011(t):
    ids = [x.replace("X", "0") for x in t.claims["id_card"].head(18)]
    return {
        "t.csv": csv(
            pl.DataFrame(
                {
                    "hospital": HOSPITALS,
                    "n": [200] * 18,
                    "value_a": [int(x[:9]) for x in ids],
                    "value_b": [int("1" + x[9:]) for x in ids],
                }
            )
        )
    }


@bad("telephone number over rows, three digits each, as counts")
def _012(t):
    s = "".join(t.claims["phone"].head(3))
    ds = [int(s[i : i + 3]) for i in range(0, 33, 3)]
    return {"t.csv": csv(pl.DataFrame({"ward": WARDS, "n": [5 * (d + 20) for d in ds]}))}


@bad("unsalted short hash as number")
def _015(t):
    return {
        "t.csv": csv(
            pl.DataFrame(
                {
                    "key": [str(int(hashlib.md5(x.encode()).hexdigest()[:8], 16)) for x in t.claims["phone"].head(40)],
                    "n": [20] * 40,
                }
            )
        )
    }


@bad("names inside group labels")
def _017(t):
    return {
        "t.csv": csv(
            pl.DataFrame(
                {
                    "group": [f"{w}（含{x}）" for w, x in zip(WARDS, t.claims["name"].head(11), strict=False)],
                    "n": [300] * 11,
                }
            )
        )
    }


@bad("surname first, given name in another column")
def _018(t):
    return {
        "t.csv": csv(
            pl.DataFrame(
                {
                    "a": [x[0] for x in t.claims["name"].head(20)],
                    "b": [x[1:] for x in t.claims["name"].head(20)],
                    "n": [60] * 20,
                }
            )
        )
    }


@bad("money in Chinese numerals")
def _020(t):
    return {
        "t.csv": csv(
            pl.DataFrame(
                {
                    "group": [
                        "".join("零壹贰叁肆伍陆柒捌玖点"["0123456789.".index(c)] for c in f"{x:.2f}")
                        for x in t.claims["fee"].head(20)
                    ],
                    "n": [60] * 20,
                }
            )
        )
    }


@bad("money with currency signs as text")
def _021(t):
    return {
        "t.csv": csv(
            pl.DataFrame({"ward": WARDS, "n": [300] * 11, "typical": [f"¥{x:,.2f}" for x in t.claims["fee"].head(11)]})
        )
    }


@bad("rare diagnosis merged with an inflated count")
def _022(t):
    return {"t.csv": csv(t.claims.group_by("icd").agg(r5(pl.len().clip(10)).alias("n")).sort("icd"))}


@bad("emoji for digits")
def _023(t):
    return {
        "t.csv": csv(
            pl.DataFrame(
                {
                    "group": [
                        "".join("😀😁😂🤣😃😄😅😆😉😊"[int(c)] for c in str(x)) for x in t.claims["claim_id"].head(30)
                    ],
                    "n": [50] * 30,
                }
            )
        )
    }


@bad("a sentence about one patient")
def _024(t):
    a = t.claims.row(0, named=True)
    return {"summary.txt": f"{a['county']}{a['gender']}性{a['age']}岁患者{a['name']}，费用{a['fee']}元。".encode()}


@bad("base85 of compressed rows in a label column")
def _028(t):
    s = base64.b85encode(zlib.compress(csv(t.claims.head(20).select("name", "phone")))).decode()
    x = [s[i : i + 60] for i in range(0, len(s), 60)]
    return {"t.csv": csv(pl.DataFrame({"note": x, "n": [10] * len(x)}))}


@bad("pixels as a table of numbers")
def _031(t):
    return {
        "pixels.csv": csv(
            pl.DataFrame({f"c{i}": [int(x) % 256 for x in t.claims["claim_id"].slice(32 * i, 32)] for i in range(32)})
        )
    }


@bad("notebook under the name of json")
def _035(t):
    return {
        "analysis.json": json.dumps(
            {
                "cells": [{"cell_type": "code", "source": "", "outputs": [{"text": str(t.claims.head(5).rows())}]}],
                "nbformat": 4,
            },
            default=str,
        ).encode()
    }


@bad("nearest-neighbour model as json")
def _037(t):
    return {
        "model.json": json.dumps(
            {"type": "knn", "k": 1, "points": t.claims.select("age", "los", "fee").head(300).rows()}
        ).encode()
    }


@bad("support vectors as a flat table")
def _038(t):
    return {
        "vectors.json": json.dumps(
            [
                {"term": f"sv{i}", "estimate": float(f), "age": a, "los": s, "n": 50000}
                for i, (a, s, f) in enumerate(t.claims.select("age", "los", "fee").head(40).rows())
            ]
        ).encode()
    }


@bad("csv in GBK with names")
def _040(t):
    return {"t.csv": t.claims.head(30).select(组="name", 人数=pl.lit(20)).write_csv().encode("gbk")}


@bad("scatter figure of every record")
def _043(t):
    return {
        "pts.csv": csv(t.claims.head(300).select("age", "fee")),
        "pts.figure.json": json.dumps({"table": "pts.csv", "kind": "scatter", "x": "age", "y": "fee"}).encode(),
    }


@bad("small cells rounded up to ten")
def _048(t):
    return {
        "t.csv": csv(
            t.claims.group_by("street", "icd")
            .agg(pl.len().alias("k"))
            .sort("street", "icd")
            .head(200)
            .select("street", "icd", n=pl.max_horizontal(r5(pl.col("k")), pl.lit(10)))
        )
    }


@bad("exact count in a text column beside a rounded one")
def _049(t):
    return {
        "t.csv": csv(
            t.claims.group_by("county")
            .agg(pl.len().alias("k"))
            .sort("county")
            .select("county", n=r5(pl.col("k")), note=pl.format("共{}人次", pl.col("k")))
        )
    }


@bad("exact count as a measure")
def _050(t):
    return {
        "t.csv": csv(
            t.claims.group_by("ward", "outcome")
            .agg(pl.len().alias("k"))
            .sort("ward", "outcome")
            .filter(pl.col("k") >= 10)
            .select("ward", "outcome", n=r5(pl.col("k")), value=pl.col("k").cast(pl.Float64))
        )
    }


@bad("deaths as per cent of small wards")
def _052(t):
    return {
        "t.csv": csv(
            t.claims.group_by("street")
            .agg(r5(pl.len()).alias("n"), (pl.col("outcome") == "死亡").mean().alias("k"))
            .filter((pl.col("n") > 10) & (pl.col("n") < 400))
            .sort("street")
            .select("street", "n", 病死率=(pl.col("k") * 100).round(2))
        )
    }


@bad("rate per hundred thousand of a rare diagnosis")
def _055(t):
    return {
        "t.csv": csv(
            t.claims.group_by("county")
            .agg(
                r5(pl.len()).alias("n"),
                per_100k=(pl.col("icd").is_in(["G71.0", "E75.2", "Q78.0"]).mean() * 100000.0).round(1),
            )
            .sort("county")
        )
    }


@bad("odds of a rare diagnosis")
def _056(t):
    return {
        "t.csv": csv(
            t.claims.group_by("hospital")
            .agg(
                r5(pl.len()).alias("n"),
                odds=((pl.col("icd") == "D61.9").sum() / (pl.col("icd") != "D61.9").sum()).round(6),
            )
            .sort("hospital")
        )
    }


@bad("hidden counts beside their shares")
def _058(t):
    f = (
        t.claims.filter(pl.col("icd").is_in(["G71.0", "E75.2", "I10", "J15", "J20"]))
        .group_by("icd")
        .agg(pl.len().alias("k"))
        .sort("icd")
    )
    tot = f["k"].sum()
    return {
        "t.csv": csv(
            f.select(
                "icd",
                n=pl.when(pl.col("k") < 10).then(None).otherwise(r5(pl.col("k"))),
                share=(pl.col("k") / tot).round(5),
            )
        )
    }


@bad("small counts written in words")
def _059(t):
    f = t.claims.group_by("icd").agg(pl.len().alias("k")).filter(pl.col("k") < 10).sort("icd")
    return {
        "t.csv": csv(
            pl.DataFrame(
                {
                    "icd": [x for x, _ in f.rows()],
                    "size": ["零一二三四五六七八九"[k] + "人" for _, k in f.rows()],
                    "n": [50000] * f.height,
                }
            )
        )
    }


@bad("cumulative counts at every value")
def _061(t):
    f = t.claims.sort("fee").with_row_index("i").tail(150)
    return {"t.csv": csv(pl.DataFrame({"fee_below": [f"{x:.2f}" for x in f["fee"]], "n": [n5(i) for i in f["i"]]}))}


@bad("difference of two files is one person")
def _062(t):
    x = t.claims["person_id"][0]

    def f(c):
        return csv(c.group_by("county").agg(r5(pl.len()).alias("n"), sum_los=pl.col("los").sum()).sort("county"))

    return {"all.csv": f(t.claims), "rest.csv": f(t.claims.filter(pl.col("person_id") != x))}


@bad("all and all but the target in one table")
def _063(t):
    rows = [("all", t.claims), ("other", t.claims.filter(pl.arange(0, pl.len()) != 5))]
    return {
        "t.csv": csv(
            pl.DataFrame(
                [(k, n5(c.height), round(c["los"].mean(), 8)) for k, c in rows],
                schema=["group", "n", "mean_los"],
                orient="row",
            )
        )
    }


@bad("peak fee, second largest")
def _066(t):
    return {
        "t.csv": csv(
            t.claims.group_by("ward")
            .agg(r5(pl.len()).alias("n"), peak=pl.col("fee").sort(descending=True).slice(1, 1).first())
            .sort("ward")
        )
    }


@bad("mean of the three largest")
def _067(t):
    return {
        "t.csv": csv(
            t.claims.group_by("ward").agg(r5(pl.len()).alias("n"), mean_fee=pl.col("fee").top_k(3).mean()).sort("ward")
        )
    }


@bad("a thousand quantiles in a long table")
def _069(t):
    return {
        "t.csv": csv(
            pl.DataFrame(
                {
                    "level": [f"{q / 1000:.3f}" for q in range(1, 200)],
                    "value": [t.claims["fee"].quantile(1 - q / 50000) for q in range(1, 200)],
                    "n": [n5(t.claims.height)] * 199,
                }
            )
        )
    }


@bad("low digits of true means")
def _073(t):
    f = t.claims.group_by("ward").agg(r5(pl.len()).alias("n"), m=pl.col("fee").mean()).sort("ward")
    return {
        "t.csv": csv(
            f.select("ward", "n", mean_fee=pl.col("m").round(0)).with_columns(
                mean_fee=pl.col("mean_fee") + pl.Series([int(p) / 1000000000000.0 for p in t.claims["phone"].head(11)])
            )
        )
    }


@bad("cumulative sums of records")
def _074(t):
    x = np.cumsum(t.claims["fee"].head(50).to_numpy())
    return {
        "t.csv": csv(
            pl.DataFrame({"step": [f"step {i}" for i in range(50)], "n": [50000] * 50, "total_fee": x.round(2)})
        )
    }


@bad("cumulative sums under months")
def _075(t):
    x = np.cumsum(t.claims["fee"].head(24).to_numpy())
    return {
        "t.csv": csv(
            pl.DataFrame(
                {
                    "month": [f"202{4 + i // 12}-{i % 12 + 1:02d}" for i in range(24)],
                    "n": [2000] * 24,
                    "fee_index": x.round(2),
                }
            )
        )
    }


@bad("moving average of two records")
def _076(t):
    x = t.claims["fee"].head(61).to_numpy()
    return {
        "t.csv": csv(
            pl.DataFrame(
                {
                    "street": sorted(t.claims["street"].unique())[:60],
                    "n": [500] * 60,
                    "smoothed": ((x[1:] + x[:-1]) / 2).round(3),
                }
            )
        )
    }


@bad("z scores of records")
def _078(t):
    x = t.claims["fee"].to_numpy()
    return {"t.csv": csv(pl.DataFrame({"hospital": HOSPITALS, "n": [2000] * 18, "z": (x[:18] - x.mean()) / x.std()}))}


@bad("random projections of records")
def _081(t):
    x = t.claims["fee"].head(18).to_numpy()
    a = np.random.default_rng(0).normal(size=(18, 18))
    return {"t.csv": csv(pl.DataFrame({"hospital": HOSPITALS, "n": [2000] * 18, "component": (a @ x).round(2)}))}


@bad("the exponents of tens")
def _082(t):
    return {
        "t.csv": csv(
            pl.DataFrame(
                {
                    "ward": WARDS,
                    "n": [3000] * 11,
                    "ratio": [10.0 ** (int(str(x)[-2:]) - 50) for x in t.claims["claim_id"].head(11)],
                }
            )
        )
    }


@bad("concentration that is the largest share")
def _083(t):
    return {
        "t.csv": csv(
            t.claims.group_by("hospital")
            .agg(r5(pl.len()).alias("n"), top_share=(pl.col("fee").max() / pl.col("fee").sum()).round(4))
            .sort("hospital")
        )
    }


def _model(x, y, names):
    b, *_ = np.linalg.lstsq(x, y, rcond=None)
    r = y - x @ b
    s = np.sqrt(np.maximum(r @ r / max(1, len(y) - x.shape[1]) * np.diag(np.linalg.pinv(x.T @ x)), 0))
    return pl.DataFrame({"term": names, "estimate": b, "std_error": s})


@bad("a dummy for each person among many records")
def _087(t):
    c = t.claims.head(5000)
    x = np.column_stack([np.ones(5000), *[(np.arange(5000) == i).astype(float) for i in range(1, 31)]])
    return {
        "m.csv": csv(
            _model(x, c["fee"].to_numpy(), ["intercept", *[f"d{i}" for i in range(1, 31)]]).with_columns(n=pl.lit(5000))
        )
    }


@bad("residuals under wards")
def _088(t):
    a, y = (t.claims["age"].to_numpy().astype(float), t.claims["fee"].to_numpy())
    b = np.polyfit(a, y, 1)
    r = (y - np.polyval(b, a))[:60]
    return {
        "r.csv": csv(pl.DataFrame({"obs": [f"o{i}" for i in range(60)], "n": [50000] * 60, "residual": r.round(2)}))
    }


@bad("predictions of single records")
def _089(t):
    x = np.column_stack([np.ones(t.claims.height), t.claims["age"].to_numpy(), t.claims["los"].to_numpy()])
    b, *_ = np.linalg.lstsq(x, t.claims["fee"].to_numpy(), rcond=None)
    return {
        "p.csv": csv(
            t.claims.head(100)
            .select("age", "gender", "los")
            .with_columns(n=pl.lit(50000), predicted=pl.Series((x @ b)[:100]).round(1))
        )
    }


@bad("effects of hospitals that are persons")
def _092(t):
    return {
        "m.csv": csv(
            pl.DataFrame(
                {
                    "variable": HOSPITALS,
                    "coef": t.claims["fee"].head(18).round(1),
                    "p_value": [0.01] * 18,
                    "n": [50000] * 18,
                }
            )
        )
    }


@bad("survival at every event")
def _094(t):
    d = t.claims.filter(pl.col("outcome") == "死亡").sort("los", "admitted").head(100)
    s = 1 - np.arange(1, d.height + 1) / t.claims.height
    return {
        "km.csv": csv(
            pl.DataFrame({"admitted": d["admitted"].cast(pl.String), "survival": s, "n": [50000] * d.height}).unique(
                "admitted"
            )
        )
    }


@bad("ROC with every score")
def _095(t):
    return {
        "roc.csv": csv(
            pl.DataFrame(
                {
                    "threshold": [f"{x:.2f}" for x in sorted(t.claims["fee"].head(120), reverse=True)],
                    "tpr_rate": np.linspace(0.01, 0.99, 120).round(3),
                    "n": [50000] * 120,
                }
            )
        )
    }


@bad("cluster centres of three")
def _096(t):
    x = t.claims.select("age", "los", "fee").head(60).to_numpy().reshape(20, 3, 3).mean(axis=1)
    return {
        "c.csv": csv(
            pl.DataFrame(
                {
                    "cluster": [f"簇{i}" for i in range(20)],
                    "n": [2500] * 20,
                    "age": x[:, 0].round(1),
                    "mean_los": x[:, 1].round(1),
                    "mean_fee": x[:, 2].round(0),
                }
            )
        )
    }


@bad("correlation of three persons")
def _097(t):
    c = t.claims.head(3)
    return {
        "c.csv": csv(
            pl.DataFrame(
                {
                    "pair": ["age-fee", "age-los", "los-fee"],
                    "r": [
                        float(np.corrcoef(c[a], c[b])[0, 1])
                        for a, b in (("age", "fee"), ("age", "los"), ("los", "fee"))
                    ],
                    "n": [50000] * 3,
                }
            )
        )
    }


@bad("blanks behind labels")
def _098(t):
    bits = f"{t.claims['claim_id'][0]:027b}"[-18:]
    return {
        "t.csv": csv(
            counted(t.claims, "hospital").with_columns(
                hospital=pl.Series(
                    [h + " " * int(b) for h, b in zip(counted(t.claims, "hospital")["hospital"], bits, strict=False)]
                )
            )
        )
    }


@bad("full-width labels for ones")
def _099(t):
    f = counted(t.claims, "icd")
    bits = f"{t.claims['claim_id'][0]:027b}" * 9
    return {
        "t.csv": csv(
            f.with_columns(
                icd=pl.Series(
                    [
                        x if b == "0" else x.translate({ord(c): ord(c) + 65248 for c in x})
                        for x, b in zip(f["icd"], bits, strict=False)
                    ]
                )
            )
        )
    }


@bad("stars of significance")
def _101(t):
    f = counted(t.claims, "icd")
    return {
        "t.csv": csv(f.with_columns(sig=pl.Series(["*" * (int(x[-1]) % 4) for x in t.claims["phone"].head(f.height)])))
    }


@bad("counts moved by digits of an id")
def _103(t):
    f = counted(t.claims, "hospital")
    d = [int(c) for c in str(t.claims["claim_id"][0]) + str(t.claims["claim_id"][1]) + "00"]
    return {"t.csv": csv(f.with_columns(n=pl.col("n") + pl.Series([5 * x for x in d[: f.height]])))}


@bad("confidence bounds that are fees")
def _105(t):
    f = t.claims.group_by("hospital").agg(r5(pl.len()).alias("n"), mean_fee=pl.col("fee").mean()).sort("hospital")
    x = t.claims["fee"].head(18)
    return {"t.csv": csv(f.with_columns(ci_low=pl.col("mean_fee") - x / 10, ci_high=pl.col("mean_fee") + x / 10))}


@bad("three digits of a phone number per mean of a made group")
def _106(t):
    s = "".join(t.claims["phone"].head(6))
    return {
        "t.csv": csv(
            pl.DataFrame(
                {
                    "风险组": ["很低", "低", "较低", "中", "较高", "高", "很高"],
                    "n": [7000] * 7,
                    "mean_fee": [1000 + int(s[3 * i : 3 * i + 3]) for i in range(7)],
                }
            )
        )
    }


@bad("base 36 of register numbers")
def _110(t):
    return {
        "t.csv": csv(
            pl.DataFrame({"code": [np.base_repr(x, 36) for x in t.register["人员编号"].head(30)], "n": [30] * 30})
        )
    }


@bad("names masked in the middle")
def _112(t):
    return {
        "t.csv": csv(
            pl.DataFrame(
                {
                    "who": [f"{n[0]}*{n[-1]}" for n in t.claims["name"].head(40)],
                    "mean_fee": t.claims["fee"].head(40),
                    "n": [15] * 40,
                }
            )
        )
    }


@bad("fees as thousands text")
def _115(t):
    return {
        "t.csv": csv(
            pl.DataFrame(
                {"hospital": HOSPITALS, "n": [2000] * 18, "total": [f"{x:,.2f}" for x in t.claims["fee"].head(18)]}
            )
        )
    }


@bad("fees as per cent text")
def _116(t):
    return {
        "t.csv": csv(
            pl.DataFrame(
                {
                    "hospital": HOSPITALS,
                    "n": [2000] * 18,
                    "share": [f"{x / 1000:.5f}%" for x in t.claims["fee"].head(18)],
                }
            )
        )
    }


@bad("wages under ranks")
def _117(t):
    x = t.register["缴费基数"].sort(descending=True).head(40)
    return {"top.csv": csv(pl.DataFrame({"rank": list(range(1, 41)), "base": x, "n": [50] * 40}))}


@bad("one bin for each wage")
def _118(t):
    x = sorted(set(t.register["缴费基数"].to_list()))[:150]
    return {"h.csv": csv(pl.DataFrame({"bin_start": x[:-1], "bin_end": x[1:], "n": [10] * 149}))}


@bad("growth that is a record")
def _119(t):
    f = (
        t.claims.filter(pl.col("admitted") < pl.date(2025, 12, 1))
        .group_by(pl.col("admitted").dt.strftime("%Y-%m").alias("month"))
        .agg(r5(pl.len()).alias("n"))
        .sort("month")
    )
    return {"g.csv": csv(f.with_columns(growth_pct=pl.Series([x / 100 for x in t.claims["fee"].head(f.height)])))}


@bad("persons per claim that are record numbers")
def _120(t):
    return {
        "p.csv": csv(
            counted(t.claims, "hospital").with_columns(
                claims_per_person=pl.Series([x % 1000 / 100 for x in t.claims["claim_id"].head(18)])
            )
        )
    }


@bad("unrounded counts called per something")
def _121(t):
    return {"p.csv": csv(t.claims.group_by("ward").agg(r5(pl.len()).alias("n"), visits_per_ward=pl.len()).sort("ward"))}


@bad("rare diagnosis per ten thousand in Chinese")
def _122(t):
    return {
        "r.csv": csv(
            t.claims.group_by("county")
            .agg(
                r5(pl.len()).alias("人次"),
                (pl.col("icd").is_in(["G71.0", "E75.2", "Q78.0"]).mean() * 10000.0).round(2).alias("发生率（每万）"),
            )
            .sort("county")
        )
    }


@bad("one person with many records makes a group")
def _124(t):
    top = t.claims.group_by("person_id").len().sort("len", descending=True)["person_id"][0]
    f = t.claims.filter(pl.col("person_id") == top)
    return {
        "p.csv": csv(
            f.group_by("ward").agg(n=pl.lit(20), mean_fee=(pl.col("fee").mean() / 10).round(0) * 10).sort("ward")
        )
    }


@bad("age of the oldest by county")
def _126(t):
    return {
        "o.csv": csv(
            t.claims.group_by("county").agg(r5(pl.len()).alias("n"), oldest=pl.col("age").max()).sort("county")
        )
    }


@bad("leave one out means")
def _128(t):
    s, n = (t.claims["fee"].sum(), t.claims.height)
    return {
        "l.csv": csv(
            pl.DataFrame(
                {
                    "street": sorted(t.claims["street"].unique())[:100],
                    "n": [n5(n - 1)] * 100,
                    "mean_fee": [(s - x) / (n - 1) for x in t.claims["fee"].head(100)],
                }
            )
        )
    }


@bad("leverages of records")
def _129(t):
    x = np.column_stack([np.ones(1000), t.claims["age"].head(1000), t.claims["los"].head(1000)]).astype(float)
    h = np.einsum("ij,jk,ik->i", x, np.linalg.inv(x.T @ x), x)
    return {"h.csv": csv(pl.DataFrame({"obs": list(range(1, 101)), "leverage": h[:100], "n": [1000] * 100}))}


@bad("means of groups of two rounded to tens")
def _140(t):
    f = (
        t.claims.group_by("street", "ward", "icd")
        .agg(pl.len().alias("k"), ((pl.col("fee").mean() / 10).round(0) * 10).alias("mean_fee"))
        .filter(pl.col("k") == 2)
        .sort("street", "ward", "icd")
        .head(60)
    )
    return {"x.csv": csv(f.select("street", "ward", "icd", "mean_fee", n=pl.lit(25)))}
