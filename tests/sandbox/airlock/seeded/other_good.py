"""Good outputs of a second red team, as honest researchers write them, in Chinese and English."""

from __future__ import annotations

import itertools
import json

import numpy as np
import polars as pl

from tests.sandbox.airlock.seeded.other_tables import SCHEMES
from tests.sandbox.airlock.seeded.path import Program, csv

P: dict[str, Program] = {}


def good(name: str):

    def put(program: Program) -> Program:
        P[name] = program
        return program

    return put


def r5(e: pl.Expr) -> pl.Expr:
    return (e / 5).round().cast(pl.Int64) * 5


def n5(x: float) -> int:
    return round(x / 5) * 5


def r10(e: pl.Expr) -> pl.Expr:
    return (e / 10).round().cast(pl.Int64) * 10


def big(f: pl.DataFrame, n: str = "n") -> pl.DataFrame:
    return f.filter(pl.col(n) >= 10)


def sig(x: float, d: int = 3) -> float:
    return float(f"{x:.{d}g}")


@good("mean and deviation of stays by gender and age")
def _003(t):
    f = t.claims.with_columns(
        age_group=pl.when(pl.col("age") < 18)
        .then(pl.lit("0-17"))
        .when(pl.col("age") < 45)
        .then(pl.lit("18-44"))
        .when(pl.col("age") < 65)
        .then(pl.lit("45-64"))
        .otherwise(pl.lit("65+"))
    )
    return {
        "t.csv": csv(
            big(
                f.group_by("gender", "age_group").agg(
                    r5(pl.len()).alias("n"), mean_los=pl.col("los").mean().round(2), sd_los=pl.col("los").std().round(2)
                )
            ).sort("gender", "age_group")
        )
    }


@good("claims and mean fees by month")
def _004(t):
    return {
        "monthly.csv": csv(
            t.claims.filter(pl.arange(0, pl.len()) > 0)
            .group_by(pl.col("admitted").dt.strftime("%Y-%m").alias("month"))
            .agg(r5(pl.len()).alias("n"), mean_los=pl.col("los").mean().round(2))
            .filter(pl.col("n") >= 10)
            .sort("month")
        )
    }


@good("histogram of fees")
def _005(t):
    e = [0, 1000, 2000, 5000, 10000, 20000, 50000]
    c, _ = np.histogram(t.claims["fee"], [*e, 1000000000.0])
    lab = [*(f"{a}-{b}" for a, b in itertools.pairwise(e)), "50000+"]
    return {"hist.csv": csv(pl.DataFrame({"fee_band": lab, "n": [n5(x) if x >= 10 else None for x in c]}))}


@good("histogram by bin edges")
def _006(t):
    c, e = np.histogram(t.claims["age"], np.arange(0, 101, 10))
    return {
        "hist.csv": csv(
            pl.DataFrame(
                {"bin_start": e[:-1].astype(int), "bin_end": e[1:].astype(int), "count": [n5(x) for x in c]}
            ).filter(pl.col("count") >= 10)
        )
    }


@good("correlation matrix")
def _009(t):
    v = ["age", "los", "fund_pay"]
    c = t.claims.filter(pl.col("fee") < 1000000.0)
    m = np.corrcoef(c.select(v).to_numpy().T).round(3)
    return {
        "cor.csv": csv(pl.DataFrame({"variable": v} | {a: m[i] for i, a in enumerate(v)} | {"n": [n5(c.height)] * 3}))
    }


def _ols(t):
    c = t.claims.filter((pl.col("fee") < 1000000.0) & (pl.col("age") > 0))
    y = np.log(c["fee"].to_numpy())
    x = np.column_stack([np.ones(c.height), c["age"], c["los"], (c["gender"] == "M").cast(float)]).astype(float)
    b, *_ = np.linalg.lstsq(x, y, rcond=None)
    r = y - x @ b
    s = np.sqrt(r @ r / (len(y) - 4) * np.diag(np.linalg.inv(x.T @ x)))
    return (b, s, 1 - r @ r / ((y - y.mean()) @ (y - y.mean())), c.height)


@good("linear regression")
def _010(t):
    b, s, r2, n = _ols(t)
    return {
        "ols.csv": csv(
            pl.DataFrame(
                {
                    "term": ["(Intercept)", "age", "los", "gender_M"],
                    "estimate": b.round(4),
                    "std_error": s.round(5),
                    "t": (b / s).round(1),
                    "p_value": [0.001] * 4,
                    "n": [n5(n)] * 4,
                    "r2": [round(r2, 3)] * 4,
                }
            )
        )
    }


@good("regression with statsmodels names")
def _011(t):
    b, s, _r2, n = _ols(t)
    return {
        "ols.csv": csv(
            pl.DataFrame(
                {
                    "variable": ["const", "age", "los", "male"],
                    "coef": b.round(3),
                    "std err": s.round(4),
                    "t": (b / s).round(1),
                    "P>|t|": [0.0] * 4,
                    "[0.025": (b - 1.96 * s).round(3),
                    "0.975]": (b + 1.96 * s).round(3),
                    "nobs": [n5(n)] * 4,
                }
            )
        )
    }


def _logit(t):
    c = t.claims
    y = c["outcome"].is_in(["死亡", "未愈"]).cast(float).to_numpy()
    x = np.column_stack(
        [np.ones(c.height), c["age"] / 10, (c["gender"] == "M").cast(float), (c["los"] > 10).cast(float)]
    ).astype(float)
    b = np.zeros(4)
    for _ in range(8):
        p = 1 / (1 + np.exp(-x @ b))
        h = x.T @ (x * (p * (1 - p))[:, None])
        b = b + np.linalg.solve(h, x.T @ (y - p))
    return (b, np.sqrt(np.diag(np.linalg.inv(h))), c.height, int(y.sum()), 1 / (1 + np.exp(-x @ b)), y)


@good("odds ratios with intervals")
def _012(t):
    b, s, n, _e, *_ = _logit(t)
    return {
        "or.csv": csv(
            pl.DataFrame(
                {
                    "term": ["年龄（每10岁）", "男性", "住院超过10天"],
                    "odds_ratio": np.exp(b[1:]).round(2),
                    "ci_low": np.exp(b - 1.96 * s)[1:].round(2),
                    "ci_high": np.exp(b + 1.96 * s)[1:].round(2),
                    "p_value": [0.12, 0.5, 0.3],
                    "n": [n5(n)] * 3,
                }
            )
        )
    }


@good("odds ratios in Chinese")
def _013(t):
    b, s, n, _e, *_ = _logit(t)
    return {
        "or.csv": csv(
            pl.DataFrame(
                {
                    "变量": ["年龄（每10岁）", "男性", "住院超过10天"],
                    "OR值": np.exp(b[1:]).round(2),
                    "95%CI下限": np.exp(b - 1.96 * s)[1:].round(2),
                    "95%CI上限": np.exp(b + 1.96 * s)[1:].round(2),
                    "样本量": [n5(n)] * 3,
                }
            )
        )
    }


@good("metrics of a model")
def _014(t):
    *_, n, _e, p, y = _logit(t)
    return {
        "metrics.csv": csv(
            pl.DataFrame(
                {
                    "metric": ["auc", "accuracy", "brier"],
                    "value": [0.52, round(float(((p > 0.5) == y).mean()), 3), round(float(((p - y) ** 2).mean()), 3)],
                    "n": [n5(n)] * 3,
                }
            )
        )
    }


@good("metrics of a model as json")
def _015(t):
    *_, n, _e, p, y = _logit(t)
    return {
        "metrics.json": json.dumps(
            {
                "n": n5(n),
                "accuracy": round(float(((p > 0.5) == y).mean()), 3),
                "brier": round(float(((p - y) ** 2).mean()), 3),
            }
        ).encode()
    }


@good("quartiles of large groups")
def _017(t):
    return {
        "q.csv": csv(
            t.claims.group_by("gender")
            .agg(
                r5(pl.len()).alias("n"),
                p25_los=pl.col("los").quantile(0.25),
                median_los=pl.col("los").median(),
                p75_los=pl.col("los").quantile(0.75),
            )
            .sort("gender")
        )
    }


@good("人数与占比")
def _018(t):
    return {
        "区县.csv": csv(
            t.register.group_by("区县")
            .agg(r5(pl.len()).alias("人数"))
            .sort("区县")
            .with_columns((pl.col("人数") / pl.col("人数").sum() * 100).round(1).alias("占比(%)"))
        )
    }


@good("平均缴费基数")
def _019(t):
    return {
        "基数.csv": csv(
            big(
                t.register.group_by("参保类型", "性别").agg(
                    r5(pl.len()).alias("n"),
                    pl.col("缴费基数").mean().round(0).alias("平均缴费基数"),
                    pl.col("养老金").mean().round(0).alias("平均养老金"),
                )
            )
            .rename({"n": "人数"})
            .sort("参保类型", "性别")
        )
    }


@good("percent as text")
def _020(t):
    return {
        "t.csv": csv(
            t.register.group_by("学历")
            .agg(r5(pl.len()).alias("人数"))
            .sort("学历")
            .with_columns(pl.format("{}%", (pl.col("人数") / pl.col("人数").sum() * 100).round(1)).alias("占比"))
        )
    }


@good("heat map of wards and months")
def _021(t):
    f = big(
        t.claims.filter(pl.col("admitted").dt.year() == 2024)
        .group_by("ward", pl.col("admitted").dt.month().alias("month"))
        .agg(r5(pl.len()).alias("n"))
    ).sort("ward", "month")
    return {
        "heat.csv": csv(f),
        "heat.figure.json": json.dumps(
            {
                "table": "heat.csv",
                "kind": "heat_map",
                "x": "month",
                "y": "n",
                "series": "ward",
                "title": "各科室每月人次",
            }
        ).encode(),
    }


@good("cross table with totals")
def _024(t):
    f = (
        t.claims.pivot("gender", index="county", values="los", aggregate_function="len")
        .sort("county")
        .with_columns(r5(pl.col("F")), r5(pl.col("M")))
    )
    return {"x.csv": csv(f.with_columns((pl.col("F") + pl.col("M")).alias("合计")))}


@good("counts with small ones written <10")
def _026(t):
    f = t.register.group_by("区县", "学历").agg(pl.len().alias("k")).sort("区县", "学历")
    return {
        "x.csv": csv(
            f.select(
                "区县",
                "学历",
                人数=pl.when(pl.col("k") < 10).then(pl.lit("<10")).otherwise(r5(pl.col("k")).cast(pl.String)),
            )
        )
    }


@good("chi square of gender and outcome")
def _027(t):
    m = (
        t.claims.pivot("outcome", index="gender", values="los", aggregate_function="len")
        .drop("gender")
        .to_numpy()
        .astype(float)
    )
    e = m.sum(1, keepdims=True) * m.sum(0) / m.sum()
    return {
        "chi.csv": csv(
            pl.DataFrame(
                {
                    "test": ["chi-square"],
                    "statistic": [round(float(((m - e) ** 2 / e).sum()), 2)],
                    "df": [3],
                    "p_value": [0.4],
                    "n": [n5(m.sum())],
                }
            )
        )
    }


@good("ten commonest diagnoses")
def _030(t):
    return {
        "top.csv": csv(
            t.claims.group_by("icd")
            .agg(r5(pl.len()).alias("n"))
            .sort("n", "icd", descending=True)
            .head(10)
            .with_row_index("rank", offset=1)
        )
    }


@good("persons and claims by scheme")
def _031(t):
    return {
        "p.csv": csv(
            t.claims.group_by("scheme")
            .agg(
                r5(pl.col("person_id").n_unique()).alias("persons"),
                r5(pl.len()).alias("claims"),
                claims_per_person=(pl.len() / pl.col("person_id").n_unique()).round(2),
            )
            .sort("scheme")
        )
    }


@good("growth by quarter")
def _032(t):
    f = (
        t.claims.filter(pl.col("admitted") < pl.date(2026, 1, 1))
        .group_by(pl.format("{}Q{}", pl.col("admitted").dt.year(), pl.col("admitted").dt.quarter()).alias("quarter"))
        .agg(r5(pl.len()).alias("n"))
        .filter(pl.col("n") >= 10)
        .sort("quarter")
    )
    return {"g.csv": csv(f.with_columns(growth_pct=((pl.col("n") / pl.col("n").shift(1) - 1) * 100).round(1)))}


@good("gini by county")
def _033(t):

    def g(x):
        x = np.sort(x)
        n = len(x)
        return round(float((2 * np.arange(1, n + 1) - n - 1) @ x / (n * x.sum())), 3)

    return {
        "gini.csv": csv(
            pl.DataFrame(
                [(k[0], n5(f.height), g(f["养老金"].to_numpy())) for k, f in sorted(t.register.group_by("区县"))],
                schema=["区县", "n", "gini"],
                orient="row",
            )
        )
    }


@good("survival at fixed days")
def _034(t):
    c = t.claims
    rows = [
        (
            f"{d}天",
            n5(c.filter(pl.col("los") >= d).height),
            round(1 - c.filter((pl.col("outcome") == "死亡") & (pl.col("los") <= d)).height / c.height, 3),
        )
        for d in (5, 10, 20)
    ]
    return {"km.csv": csv(pl.DataFrame(rows, schema=["时间", "n_at_risk", "survival"], orient="row"))}


@good("baseline characteristics")
def _038(t):
    rows = []
    for v in ("gender", "scheme", "outcome"):
        for k, m in t.claims.group_by(v).len().sort(v).rows():
            rows.append((v, k, n5(m), round(100 * m / t.claims.height, 1)))
    return {"table1.csv": csv(pl.DataFrame(rows, schema=["variable", "level", "n", "percent"], orient="row"))}


@good("summary of numeric columns")
def _040(t):
    return {
        "d.csv": csv(
            pl.DataFrame(
                [
                    (c, n5(t.claims[c].drop_nulls().len()), sig(t.claims[c].mean()), sig(t.claims[c].std()))
                    for c in ("age", "los", "bmi")
                ],
                schema=["variable", "n", "mean", "std"],
                orient="row",
            )
        )
    }


@good("text summary in Chinese")
def _041(t):
    return {
        "summary.txt": f"本研究共纳入约{round(t.claims.height, -2)}人次，平均住院{t.claims['los'].mean():.1f}天。\n职工医保占比约{(t.claims['scheme'] == '职工医保').mean() * 100:.0f}%。".encode()
    }


@good("standardised rates")
def _042(t):
    return {
        "r.csv": csv(
            t.claims.group_by("county")
            .agg(pl.len().alias("k"), (pl.col("outcome") == "死亡").sum().alias("d"))
            .filter(pl.col("d") >= 10)
            .sort("county")
            .select(
                "county",
                n=r5(pl.col("k")),
                deaths=r5(pl.col("d")),
                rate_per_1000=(pl.col("d") / pl.col("k") * 1000).round(1),
            )
        )
    }


@good("stays in days, thirty and more together")
def _044(t):
    return {
        "los.csv": csv(
            big(
                t.claims.select(
                    pl.when(pl.col("los") >= 30)
                    .then(pl.lit("30+"))
                    .otherwise(pl.col("los").cast(pl.String))
                    .alias("days")
                )
                .group_by("days")
                .agg(r5(pl.len()).alias("n"))
                .sort("days")
            )
        )
    }


@good("calibration by decile")
def _047(t):
    *_, p, y = _logit(t)
    d = np.digitize(p, np.quantile(p, np.arange(0.1, 1, 0.1)))
    return {
        "cal.csv": csv(
            pl.DataFrame(
                [(f"D{i + 1}", n5((d == i).sum()), sig(p[d == i].mean()), sig(y[d == i].mean())) for i in range(10)],
                schema=["decile", "n", "mean_predicted", "mean_observed"],
                orient="row",
            )
        )
    }


@good("concentration by decile of stays")
def _048(t):
    x = np.sort(t.register["养老金"].to_numpy())
    parts = np.array_split(x, 10)
    return {
        "lorenz.csv": csv(
            pl.DataFrame(
                [(f"第{i + 1}十分位", n5(len(p)), sig(p.sum() / x.sum())) for i, p in enumerate(parts)],
                schema=["分组", "人数", "份额"],
                orient="row",
            )
        )
    }


@good("moving average of months")
def _049(t):
    f = (
        t.claims.filter(pl.col("admitted") < pl.date(2025, 12, 1))
        .group_by(pl.col("admitted").dt.strftime("%Y-%m").alias("month"))
        .agg(r5(pl.len()).alias("n"))
        .filter(pl.col("n") >= 10)
        .sort("month")
    )
    return {"ma.csv": csv(f.with_columns(moving_average=pl.col("n").rolling_mean(3, min_samples=1).round(0)))}


@good("sum of stays by hospital")
def _051(t):
    return {
        "s.csv": csv(
            t.claims.group_by("hospital")
            .agg(r5(pl.len()).alias("n"), total_los=pl.col("los").sum(), mean_los=pl.col("los").mean().round(2))
            .sort("hospital")
        )
    }


@good("means with confidence intervals")
def _052(t):
    return {
        "ci.csv": csv(
            t.claims.group_by("scheme")
            .agg(r5(pl.len()).alias("n"), mean=pl.col("los").mean(), se=pl.col("los").std() / pl.len().sqrt())
            .sort("scheme")
            .select(
                "scheme",
                "n",
                mean_los=pl.col("mean").round(2),
                ci_lower=(pl.col("mean") - 1.96 * pl.col("se")).round(2),
                ci_upper=(pl.col("mean") + 1.96 * pl.col("se")).round(2),
            )
        )
    }


@good("reimbursement ratio by county")
def _053(t):
    return {
        "rr.csv": csv(
            t.claims.filter(pl.col("fee") < 1000000.0)
            .group_by("county")
            .agg(r5(pl.len()).alias("n"), reimbursement_ratio=(pl.col("fund_pay").sum() / pl.col("fee").sum()).round(3))
            .sort("county")
        )
    }


@good("older men by county")
def _055(t):
    return {
        "om.csv": csv(
            big(
                t.claims.filter((pl.col("gender") == "M") & (pl.col("age") >= 60))
                .group_by("county")
                .agg(r5(pl.len()).alias("n"), mean_los=pl.col("los").mean().round(2))
            ).sort("county")
        )
    }


@good("thousands separators")
def _057(t):
    return {
        "ts.csv": csv(
            t.register.group_by("参保类型")
            .agg(r5(pl.len()).alias("k"))
            .sort("参保类型")
            .select("参保类型", 人数=pl.col("k").map_elements(lambda x: f"{x:,}", pl.String))
        )
    }


@good("各险种次均费用")
def _058(t):
    return {
        "次均.csv": csv(
            t.claims.filter(pl.col("fee") < 1000000.0)
            .group_by("scheme")
            .agg(
                r5(pl.len()).alias("人次"),
                pl.col("fee").mean().round(0).alias("次均费用"),
                pl.col("los").mean().round(1).alias("平均住院日"),
            )
            .sort("scheme")
        )
    }


@good("各年龄段人均缴费月数")
def _059(t):
    b = (
        pl.when(pl.col("年龄") < 30)
        .then(pl.lit("30岁以下"))
        .when(pl.col("年龄") < 45)
        .then(pl.lit("30-44岁"))
        .when(pl.col("年龄") < 60)
        .then(pl.lit("45-59岁"))
        .otherwise(pl.lit("60岁及以上"))
        .alias("年龄段")
    )
    return {
        "t.csv": csv(
            t.register.group_by(b, "性别")
            .agg(r5(pl.len()).alias("人数"), pl.col("缴费月数").mean().round(1).alias("平均缴费月数"))
            .sort("年龄段", "性别")
        )
    }


@good("学历构成（%）")
def _060(t):
    f = t.register.group_by("区县", "学历").agg(r5(pl.len()).alias("人数")).sort("区县", "学历")
    return {
        "t.csv": csv(
            big(f, "人数").with_columns(
                (pl.col("人数") / pl.col("人数").sum().over("区县") * 100).round(1).alias("构成比(%)")
            )
        )
    }


@good("counts rounded to ten")
def _061(t):
    return {
        "t.csv": csv(
            t.claims.group_by("hospital", "gender").agg(r10(pl.len()).alias("count")).sort("hospital", "gender")
        )
    }


@good("weekday pattern")
def _063(t):
    return {
        "t.csv": csv(
            t.claims.group_by(pl.col("admitted").dt.weekday().alias("weekday"))
            .agg(r5(pl.len()).alias("n"), mean_los=pl.col("los").mean().round(2))
            .sort("weekday")
        )
    }


@good("decade of age as a number")
def _064(t):
    return {
        "t.csv": csv(
            big(
                t.claims.group_by((pl.col("age") // 10 * 10).alias("age_decade"))
                .agg(r5(pl.len()).alias("n"), mean_los=pl.col("los").mean().round(2))
                .sort("age_decade")
            )
        )
    }


@good("pandas cut intervals")
def _065(t):
    import pandas as pd

    d = t.claims.select("age", "los").to_pandas()
    d["band"] = pd.cut(d["age"], [0, 18, 40, 60, 80, 100])
    g = d.groupby("band", observed=True)["los"].agg(["size", "mean"]).reset_index()
    g["size"] = (g["size"] / 5).round().astype(int) * 5
    g["mean"] = g["mean"].round(2)
    return {"t.csv": g.rename(columns={"size": "n"}).to_csv(index=False).encode()}


@good("pandas index column kept")
def _066(t):
    d = (
        t.claims.group_by("ward")
        .agg(r5(pl.len()).alias("n"), mean_los=pl.col("los").mean().round(2))
        .sort("ward")
        .to_pandas()
    )
    return {"t.csv": d.to_csv().encode().replace(b",ward", b"index,ward", 1)}


@good("share above sixty-five by county")
def _068(t):
    return {
        "t.csv": csv(
            t.claims.group_by("county")
            .agg(r5(pl.len()).alias("n"), pct_65plus=((pl.col("age") >= 65).mean() * 100).round(1))
            .sort("county")
        )
    }


@good("long stays by hospital")
def _069(t):
    return {
        "t.csv": csv(
            t.claims.group_by("hospital")
            .agg(
                r5(pl.len()).alias("n"),
                r5((pl.col("los") > 14).sum()).alias("n_long"),
                rate_long=(pl.col("los") > 14).mean().round(3),
            )
            .sort("hospital")
        )
    }


@good("log fee by gender")
def _071(t):
    return {
        "t.csv": csv(
            t.claims.group_by("gender")
            .agg(
                r5(pl.len()).alias("n"),
                mean_log_fee=pl.col("fee").log().mean().round(3),
                sd_log_fee=pl.col("fee").log().std().round(3),
            )
            .sort("gender")
        )
    }


@good("patients rather than claims")
def _072(t):
    return {
        "t.csv": csv(
            t.claims.group_by("county")
            .agg(r5(pl.col("person_id").n_unique()).alias("n_patients"), r5(pl.len()).alias("n_claims"))
            .sort("county")
        )
    }


@good("readmission within the data")
def _073(t):
    k = t.claims.group_by("person_id").agg(pl.len().alias("k"), pl.col("gender").first())
    return {
        "t.csv": csv(
            k.group_by("gender")
            .agg(
                r5(pl.len()).alias("persons"),
                r5((pl.col("k") > 1).sum()).alias("readmitted"),
                readmission_rate=(pl.col("k") > 1).mean().round(3),
            )
            .sort("gender")
        )
    }


@good("number of claims a person")
def _074(t):
    k = t.claims.group_by("person_id").len()
    return {
        "t.csv": csv(
            big(
                k.group_by(
                    pl.when(pl.col("len") > 5)
                    .then(pl.lit("6+"))
                    .otherwise(pl.col("len").cast(pl.String))
                    .alias("claims")
                )
                .agg(r5(pl.len()).alias("persons"))
                .sort("claims"),
                "persons",
            )
        )
    }


def _fit(t):
    c = t.claims.filter(pl.col("fee") < 1000000.0)
    y = c["los"].to_numpy().astype(float)
    names = ["intercept", "age", *[f"scheme={s}" for s in SCHEMES[1:]]]
    x = np.column_stack([np.ones(c.height), c["age"], *[(c["scheme"] == s).cast(float) for s in SCHEMES[1:]]]).astype(
        float
    )
    b, *_ = np.linalg.lstsq(x, y, rcond=None)
    r = y - x @ b
    return (names, b, np.sqrt(r @ r / (len(y) - 4) * np.diag(np.linalg.inv(x.T @ x))), r, y, c)


@good("回归系数表")
def _076(t):
    _names, b, s, _r, _y, c = _fit(t)
    return {
        "回归.csv": csv(
            pl.DataFrame(
                {
                    "变量": ["截距", "年龄", "居民医保", "新农合"],
                    "回归系数": b.round(3),
                    "标准误": s.round(4),
                    "95%置信区间下限": (b - 1.96 * s).round(3),
                    "95%置信区间上限": (b + 1.96 * s).round(3),
                    "P值": [0.001, 0.03, 0.4, 0.2],
                    "样本量": [n5(c.height)] * 4,
                }
            )
        )
    }


@good("R style confidence bounds")
def _077(t):
    names, b, s, _r, _y, c = _fit(t)
    return {
        "m.csv": csv(
            pl.DataFrame(
                {
                    "term": names,
                    "estimate": b.round(3),
                    "2.5 %": (b - 1.96 * s).round(3),
                    "97.5 %": (b + 1.96 * s).round(3),
                    "n": [n5(c.height)] * 4,
                }
            )
        )
    }


@good("fit of the model")
def _078(t):
    _names, _b, _s, r, y, c = _fit(t)
    return {
        "fit.json": json.dumps(
            {
                "model": "ols",
                "n": n5(c.height),
                "r2": round(float(1 - r @ r / ((y - y.mean()) @ (y - y.mean()))), 4),
                "rmse": round(float(np.sqrt(r @ r / len(y))), 2),
                "df_resid": n5(c.height),
            }
        ).encode()
    }


@good("five folds")
def _080(t):
    return {
        "cv.csv": csv(
            pl.DataFrame(
                {
                    "fold": [1, 2, 3, 4, 5],
                    "n": [n5(t.claims.height / 5)] * 5,
                    "auc": [0.71, 0.7, 0.72, 0.69, round(0.7 + t.claims["los"].mean() / 1000, 3)],
                }
            )
        )
    }


@good("heat map of age and ward")
def _083(t):
    f = big(
        t.claims.with_columns(age_band=pl.format("{}-{}", pl.col("age") // 20 * 20, pl.col("age") // 20 * 20 + 19))
        .group_by("ward", "age_band")
        .agg(r5(pl.len()).alias("n"), mean_los=pl.col("los").mean().round(1))
    ).sort("ward", "age_band")
    return {
        "h.csv": csv(f),
        "h.figure.json": json.dumps(
            {
                "table": "h.csv",
                "kind": "heat_map",
                "x": "age_band",
                "y": "mean_los",
                "series": "ward",
                "title": "平均住院日",
            }
        ).encode(),
    }


@good("wide table of months and schemes")
def _085(t):
    f = (
        t.claims.filter(pl.col("admitted").dt.year() == 2024)  # noqa: PD010 - polars
        .with_columns(m=pl.col("admitted").dt.strftime("%Y-%m"))
        .pivot("scheme", index="m", values="los", aggregate_function="len")
        .sort("m")
    )
    return {"w.csv": csv(f.select(pl.col("m").alias("month"), *[r5(pl.col(s)) for s in SCHEMES]))}


@good("cumulative share by pension decile")
def _086(t):
    x = np.sort(t.register["养老金"].to_numpy())
    parts = np.array_split(x, 10)
    s = np.array([p.sum() for p in parts]) / x.sum()
    return {
        "l.csv": csv(
            pl.DataFrame(
                {
                    "decile": list(range(1, 11)),
                    "n": [n5(len(p)) for p in parts],
                    "share": s.round(3),
                    "cumulative_share": s.cumsum().round(3),
                }
            )
        )
    }


@good("outcomes of the elderly in 2025")
def _088(t):
    return {
        "e.csv": csv(
            big(
                t.claims.filter((pl.col("age") >= 65) & (pl.col("admitted").dt.year() == 2025))
                .group_by("hospital")
                .agg(r5(pl.len()).alias("n"), mean_los=pl.col("los").mean().round(1))
            ).sort("hospital")
        )
    }


@good("total days in thousands")
def _089(t):
    return {
        "d.csv": csv(
            t.claims.group_by("county")
            .agg(r5(pl.len()).alias("n"), total_days_thousand=(pl.col("los").sum() / 1000).round(1))
            .sort("county")
        )
    }


@good("median by large wards")
def _090(t):
    return {
        "md.csv": csv(
            t.claims.group_by("ward")
            .agg(r5(pl.len()).alias("n"), median_age=pl.col("age").median().round(0))
            .sort("ward")
        )
    }


@good("rates with Wilson intervals")
def _091(t):
    f = (
        t.claims.group_by("county")
        .agg(pl.len().alias("k"), (pl.col("outcome") == "未愈").sum().alias("d"))
        .filter(pl.col("d") >= 10)
        .sort("county")
        .with_columns(p=pl.col("d") / pl.col("k"))
    )
    return {
        "w.csv": csv(
            f.select(
                "county",
                n=r5(pl.col("k")),
                rate=pl.col("p").round(3),
                lower=(pl.col("p") - 1.96 * (pl.col("p") * (1 - pl.col("p")) / pl.col("k")).sqrt()).round(3),
                upper=(pl.col("p") + 1.96 * (pl.col("p") * (1 - pl.col("p")) / pl.col("k")).sqrt()).round(3),
            )
        )
    }
