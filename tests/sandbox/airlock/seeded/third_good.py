"""Good outputs of a third author, as honest researchers and officials write them with pandas: all but wrong file types."""

from __future__ import annotations

import io
import json

import numpy as np
import pandas as pd

P = {}


def good(name, data):

    def d(f):
        P[name] = (f, data)
        return f

    return d


def csv(d, **k):
    return d.to_csv(index=False, **k).encode()


def r5(x):
    return (np.asarray(x, dtype=float) / 5).round().astype(int) * 5


def s3(x):
    return [None if pd.isna(v) else float(f"{v:.3g}") for v in np.asarray(x, dtype=float)]


def pq(d):
    b = io.BytesIO()
    d.to_parquet(b, index=False)
    return b.getvalue()


@good("patients by department", "h")
def _006(t):
    g = t.inpatient.groupby("department").patient_id.nunique().rename("patients").reset_index()
    g = g[g.patients >= 10]
    g["patients"] = r5(g.patients)
    return {"patients_by_department.csv": csv(g)}


@good("length of stay by department and sex", "h")
def _007(t):
    g = (
        t.inpatient.groupby(["department", "sex"])
        .agg(n=("patient_id", "nunique"), stays=("los", "size"), mean_los=("los", "mean"), sd_los=("los", "std"))
        .reset_index()
    )
    g = g[g.n >= 10]
    g["n"] = r5(g.n)
    g["stays"] = r5(g.stays)
    g["mean_los"] = s3(g.mean_los)
    g["sd_los"] = s3(g.sd_los)
    return {"los.csv": csv(g)}


@good("admissions by month", "h")
def _008(t):
    d = t.inpatient.copy()
    d["month"] = pd.to_datetime(d.admit_date).dt.strftime("%Y-%m")
    g = d.groupby("month").size().rename("admissions").reset_index()
    g["admissions"] = r5(g.admissions)
    return {"monthly.csv": csv(g)}


@good("admissions pivot month by payer", "h")
def _009(t):
    d = t.inpatient.copy()
    d["quarter"] = pd.PeriodIndex(pd.to_datetime(d.admit_date), freq="Q").astype(str)
    g = d.pivot_table(index="quarter", columns="payer", values="encounter", aggfunc="count", fill_value=0)
    g = g.map(lambda v: int(round(v / 5) * 5) if v >= 10 else 0)
    return {"quarter_payer.csv": csv(g.reset_index())}


@good("crosstab with totals", "h")
def _010(t):
    c = pd.crosstab(t.inpatient.department, t.inpatient.payer)
    c = c.where(c >= 10)
    c = (c / 5).round() * 5
    c["Total"] = c.sum(axis=1)
    c.loc["Total"] = c.sum()
    return {"crosstab.csv": csv(c.reset_index())}


@good("readmission rate per 1000 by age band", "h")
def _011(t):
    d = t.inpatient.copy()
    d["age_group"] = pd.cut(
        2024 - d.birth_year, [0, 18, 45, 65, 75, 120], right=False, labels=["<18", "18-44", "45-64", "65-74", "75+"]
    ).astype(str)
    g = d.groupby("age_group").agg(n=("readmit30", "size"), events=("readmit30", "sum")).reset_index()
    g = g[(g.n >= 10) & (g.events >= 10)]
    g["n"] = r5(g.n)
    g["events"] = r5(g.events)
    g["per_1000"] = s3(g.events / g.n * 1000)
    return {"readmission.csv": csv(g)}


@good("charges quantiles by payer", "h")
def _012(t):
    o = []
    for p, x in t.inpatient.groupby("payer"):
        if len(x) < 500:
            continue
        o.append(
            {
                "payer": p,
                "n": int(round(len(x) / 5) * 5),
                "p25": float(f"{x.total_charge.quantile(0.25):.2g}"),
                "median": float(f"{x.total_charge.median():.2g}"),
                "p75": float(f"{x.total_charge.quantile(0.75):.2g}"),
            }
        )
    return {"charge_quantiles.csv": csv(pd.DataFrame(o))}


def ols(X, y):
    b = np.linalg.solve(X.T @ X, X.T @ y)
    e = y - X @ b
    s2 = e @ e / (len(y) - X.shape[1])
    se = np.sqrt(np.diag(np.linalg.inv(X.T @ X)) * s2)
    return (b, se, 1 - e @ e / ((y - y.mean()) @ (y - y.mean())))


def logit(X, y):
    b = np.zeros(X.shape[1])
    for _ in range(25):
        p = 1 / (1 + np.exp(-X @ b))
        H = (X * (p * (1 - p))[:, None]).T @ X
        b = b + np.linalg.solve(H, X.T @ (y - p))
    return (b, np.sqrt(np.diag(np.linalg.inv(H))))


@good("regression of log charge", "h")
def _015(t):
    d = t.inpatient
    X = np.column_stack([np.ones(len(d)), (2024 - d.birth_year) / 10, d.los, d.sex == "M", d.smoker]).astype(float)
    b, se, r2 = ols(X, np.log(d.total_charge.to_numpy()))
    n = int(round(len(d) / 5) * 5)
    o = pd.DataFrame(
        {
            "term": ["intercept", "age10", "los", "male", "smoker"],
            "estimate": s3(b),
            "std_error": s3(se),
            "t": s3(b / se),
        }
    )
    o["n"] = n
    o["df_resid"] = n - 5
    o["r_squared"] = s3([r2])[0]
    return {"ols.csv": csv(o)}


@good("logit odds ratios", "h")
def _016(t):
    d = t.inpatient
    X = np.column_stack([np.ones(len(d)), (2024 - d.birth_year) / 10, d.los, d.sex == "M"]).astype(float)
    b, se = logit(X, d.readmit30.to_numpy().astype(float))
    n = int(round(len(d) / 5) * 5)
    o = pd.DataFrame(
        {
            "variable": ["(Intercept)", "age (10 years)", "length of stay", "male"],
            "odds_ratio": s3(np.exp(b)),
            "ci_low": s3(np.exp(b - 1.96 * se)),
            "ci_high": s3(np.exp(b + 1.96 * se)),
            "n_obs": n,
        }
    )
    return {"logit.csv": csv(o)}


@good("survival at coarse times", "h")
def _017(t):
    d = t.inpatient
    rows = []
    for sx in ("F", "M"):
        x = d[d.sex == sx].sort_values("follow_days")
        for day in (90, 180, 360, 540):
            s = 1.0
            for lo in range(0, day, 30):
                risk = (x.follow_days > lo).sum()
                ev = ((x.follow_days > lo) & (x.follow_days <= lo + 30) & x.died).sum()
                s *= 1 - ev / risk
            rows.append(
                {
                    "sex": sx,
                    "day": day,
                    "at_risk": int(round((x.follow_days > day).sum() / 5) * 5),
                    "survival": round(s, 2),
                }
            )
    return {"survival.csv": csv(pd.DataFrame(rows))}


@good("histogram of BMI", "h")
def _018(t):
    x = t.inpatient.bmi.dropna().astype(float)
    e = [0, 18.5, 24, 28, 32, 60]
    h, _ = np.histogram(x, e)
    o = pd.DataFrame({"bmi_from": e[:-1], "bmi_to": e[1:], "count": h})
    o = o[o["count"] >= 10]
    o["count"] = r5(o["count"])
    return {"bmi_hist.csv": csv(o)}


@good("correlation matrix", "h")
def _019(t):
    d = t.inpatient[["los", "total_charge", "sbp", "bmi", "drug_share"]].astype(float).dropna()
    c = d.corr().round(2)
    c.index.name = "variable"
    c = c.reset_index()
    c["n"] = int(round(len(d) / 5) * 5)
    return {"corr.csv": csv(c)}


@good("t-test of smoking and blood pressure", "h")
def _020(t):
    d = t.inpatient
    a, b = (d[d.smoker].sbp, d[~d.smoker].sbp)
    tt = (a.mean() - b.mean()) / np.sqrt(a.var() / len(a) + b.var() / len(b))
    o = pd.DataFrame(
        {
            "group": ["smoker", "non-smoker"],
            "n": r5([len(a), len(b)]),
            "mean_sbp": s3([a.mean(), b.mean()]),
            "sd_sbp": s3([a.std(), b.std()]),
        }
    )
    s = pd.DataFrame({"test": ["Welch t"], "statistic": [round(tt, 2)], "n": [int(round(len(d) / 5) * 5)]})
    return {"groups.csv": csv(o), "ttest.csv": csv(s)}


@good("chi-square smoking by sex", "h")
def _021(t):
    c = pd.crosstab(t.inpatient.sex, t.inpatient.smoker).to_numpy()
    e = c.sum(1, keepdims=True) * c.sum(0, keepdims=True) / c.sum()
    x = ((c - e) ** 2 / e).sum()
    return {
        "chisq.json": json.dumps(
            [
                {
                    "test": "chi-square",
                    "variables": "sex x smoker",
                    "statistic": float(f"{x:.3g}"),
                    "df": 1,
                    "n": int(round(c.sum() / 5) * 5),
                }
            ]
        ).encode()
    }


@good("model metrics and confusion matrix", "h")
def _022(t):
    d = t.inpatient
    X = np.column_stack([np.ones(len(d)), (2024 - d.birth_year) / 10, d.los]).astype(float)
    y = d.readmit30.to_numpy().astype(float)
    k = len(d) * 7 // 10
    b, _ = logit(X[:k], y[:k])
    p = 1 / (1 + np.exp(-X[k:] @ b))
    yy = y[k:]
    o = np.argsort(p)
    rk = np.empty(len(p))
    rk[o] = np.arange(1, len(p) + 1)
    n1 = yy.sum()
    auc = (rk[yy == 1].sum() - n1 * (n1 + 1) / 2) / (n1 * (len(yy) - n1))
    pr = p > 0.25
    cm = pd.DataFrame(
        [
            {
                "actual": a,
                "predicted": q,
                "n": int(round(((yy == (a == "readmitted")) & (pr == (q == "readmitted"))).sum() / 5) * 5),
            }
            for a in ("readmitted", "not readmitted")
            for q in ("readmitted", "not readmitted")
        ]
    )
    m = pd.DataFrame(
        {
            "metric": ["AUC", "accuracy", "brier"],
            "value": [round(auc, 2), round((pr == yy).mean(), 2), round(((p - yy) ** 2).mean(), 2)],
            "n_test": int(round(len(yy) / 5) * 5),
        }
    )
    return {"metrics.csv": csv(m), "confusion.csv": csv(cm)}


@good("cluster centres", "h")
def _023(t):
    d = t.inpatient
    Z = np.column_stack([2024 - d.birth_year, d.los, d.sbp]).astype(float)
    m, s = (Z.mean(0), Z.std(0))
    Z0 = (Z - m) / s
    C = Z0[:4].copy() * 0 + np.array([[-1, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 1.0]])
    for _ in range(30):
        l = ((Z0[:, None] - C[None]) ** 2).sum(2).argmin(1)
        C = np.array([Z0[l == i].mean(0) for i in range(4)])
    o = pd.DataFrame(
        {
            "cluster": ["A", "B", "C", "D"],
            "n": r5(np.bincount(l, minlength=4)),
            "age": s3([Z[l == i, 0].mean() for i in range(4)]),
            "los": s3([Z[l == i, 1].mean() for i in range(4)]),
            "sbp": s3([Z[l == i, 2].mean() for i in range(4)]),
        }
    )
    return {"centres.csv": csv(o)}


@good("readme and run log", "h")
def _024(t):
    d = t.inpatient
    n = int(round(len(d) / 5) * 5)
    k = int(round(d.bmi.notna().sum() / 5) * 5)
    o = pd.DataFrame(
        {
            "step": ["loaded", "with BMI", "adults with BMI"],
            "rows": [n, k, int(round(((2024 - d.birth_year >= 18) & d.bmi.notna()).sum() / 5) * 5)],
        }
    )
    return {"run_log.csv": csv(o)}


@good("各校人数", "s")
def _025(t):
    g = t.学籍.groupby("学校").size().reset_index(name="学生数")
    g = g[g.学生数 >= 10]
    g["学生数"] = r5(g.学生数)
    return {"各校人数.csv": csv(g.sort_values("学生数", ascending=False))}


@good("年级成绩", "s")
def _026(t):
    g = (
        t.学籍.groupby("年级")
        .agg(人数=("语文", "size"), 语文均分=("语文", "mean"), 数学均分=("数学", "mean"), 英语均分=("英语", "mean"))
        .round(1)
        .reset_index()
    )
    g["人数"] = r5(g.人数)
    return {"年级成绩.csv": csv(g)}


@good("分数段分布", "s")
def _027(t):
    b = pd.cut(t.学籍.数学, [-1, 59, 69, 79, 89, 100], labels=["不及格", "60-69", "70-79", "80-89", "90以上"]).astype(
        str
    )
    g = (
        b.value_counts()
        .reindex(["不及格", "60-69", "70-79", "80-89", "90以上"])
        .rename_axis("分数段")
        .reset_index(name="人数")
    )
    g = g[g.人数 >= 10]
    g["人数"] = r5(g.人数)
    g["占比"] = (g.人数 / g.人数.sum() * 100).round(1)
    g["累计占比"] = g.占比.cumsum().round(1)
    return {"分数段.csv": csv(g)}


@good("及格率优秀率", "s")
def _028(t):
    g = (
        t.学籍.assign(及=t.学籍.数学 >= 60, 优=t.学籍.数学 >= 85)
        .groupby("学校")
        .agg(人数=("及", "size"), 及格率=("及", "mean"), 优秀率=("优", "mean"))
        .reset_index()
    )
    g = g[g.人数 >= 10]
    g["人数"] = r5(g.人数)
    g["及格率"] = (g.及格率 * 100).round(1).astype(str) + "%"
    g["优秀率"] = (g.优秀率 * 100).round(1).astype(str) + "%"
    return {"及格率.csv": csv(g)}


@good("近视率按年级性别", "s")
def _029(t):
    d = t.学籍.assign(近视=t.学籍.视力 < 5.0)
    g = d.groupby(["年级", "性别"]).agg(检查人数=("近视", "size"), 近视人数=("近视", "sum")).reset_index()
    g = g[(g.检查人数 >= 10) & (g.近视人数 >= 10)]
    g["检查人数"] = r5(g.检查人数)
    g["近视人数"] = r5(g.近视人数)
    g["近视率"] = (g.近视人数 / g.检查人数).round(2)
    return {"近视率.csv": csv(g)}


@good("方差分析", "s")
def _030(t):
    d = t.学籍
    m = d.语文.mean()
    g = d.groupby("学校").语文
    ssb = (g.size() * (g.mean() - m) ** 2).sum()
    sst = ((d.语文 - m) ** 2).sum()
    k = g.ngroups
    n = int(round(len(d) / 5) * 5)
    F = ssb / (k - 1) / ((sst - ssb) / (len(d) - k))
    o = pd.DataFrame(
        {
            "来源": ["学校间", "学校内"],
            "平方和": s3([ssb, sst - ssb]),
            "自由度": [k - 1, n - k],
            "F": [round(F, 2), None],
            "样本量": n,
        }
    )
    return {"方差分析.csv": csv(o)}


@good("户籍结构透视", "s")
def _031(t):
    c = pd.crosstab(t.学籍.年级, t.学籍.户籍)
    n = c.sum(axis=1)
    p = (c.div(n, axis=0) * 100).round(1)
    p["人数"] = r5(n)
    return {"户籍结构.csv": csv(p.reset_index())}


@good("各线路客流", "t")
def _032(t):
    g = t.刷卡.groupby("线路").agg(客流=("交易号", "size"), 卡数=("卡号", "nunique")).reset_index()
    g["客流"] = r5(g.客流)
    g["卡数"] = r5(g.卡数)
    g["人均次数"] = (g.客流 / g.卡数).round(2)
    return {"客流.csv": csv(g)}


@good("小时分布", "t")
def _033(t):
    d = t.刷卡.assign(小时=t.刷卡.进站时间.dt.hour, 日=np.where(t.刷卡.进站时间.dt.day_of_week < 5, "工作日", "周末"))
    g = d.groupby(["日", "小时"]).卡号.agg(["size", "nunique"]).reset_index()
    g = g[g["nunique"] >= 10]
    g = g.rename(columns={"size": "刷卡量"})
    g["刷卡量"] = r5(g.刷卡量)
    return {"小时.csv": csv(g[["日", "小时", "刷卡量"]])}


@good("最繁忙车站前十", "t")
def _034(t):
    g = t.刷卡.进站.value_counts().head(10).rename_axis("车站").reset_index(name="进站量")
    g["进站量"] = r5(g.进站量)
    g.insert(0, "排名", range(1, len(g) + 1))
    return {"top10.csv": csv(g)}


@good("卡类型票价", "t")
def _035(t):
    g = (
        t.刷卡.groupby("卡类型")
        .agg(卡数=("卡号", "nunique"), 平均票价=("票价", "mean"), 平均时长=("时长分钟", "mean"))
        .reset_index()
    )
    g["卡数"] = r5(g.卡数)
    g["平均票价"] = s3(g.平均票价)
    g["平均时长"] = s3(g.平均时长)
    return {"票价.parquet": pq(g)}


@good("月环比", "t")
def _036(t):
    m = t.刷卡.进站时间.dt.strftime("%Y-%m")
    g = m.value_counts().sort_index().rename_axis("月份").reset_index(name="客流")
    g["客流"] = r5(g.客流)
    g["环比%"] = (g.客流.pct_change() * 100).round(1)
    return {"环比.csv": csv(g)}


@good("乘车频次分组", "t")
def _037(t):
    k = t.刷卡.groupby("卡号").size()
    b = (
        pd.cut(k, [0, 1, 3, 5, 10, 1000], labels=["1次", "2-3次", "4-5次", "6-10次", "10次以上"])
        .astype(str)
        .value_counts()
        .reindex(["1次", "2-3次", "4-5次", "6-10次", "10次以上"])
        .rename_axis("频次")
        .reset_index(name="卡数")
    )
    b = b[b.卡数 >= 10]
    b["卡数"] = r5(b.卡数)
    return {"频次.csv": csv(b)}


@good("firms by industry and size", "e")
def _038(t):
    c = pd.crosstab(t.enterprise.industry, t.enterprise["size"]).reindex(columns=["large", "medium", "small", "micro"])
    c = c.where(c >= 10)
    c = ((c / 5).round() * 5).astype("Int64")
    return {"firms.csv": csv(c.reset_index())}


@good("revenue growth by industry", "e")
def _039(t):
    g = (
        t.enterprise.groupby("industry")
        .agg(
            firms=("uscc", "size"), r23=("revenue_2023", "sum"), r22=("revenue_2022", "sum"), mx=("revenue_2023", "max")
        )
        .reset_index()
    )
    g = g[(g.firms >= 10) & (g.mx < 0.4 * g.r23)]
    o = pd.DataFrame(
        {
            "industry": g.industry,
            "firms": r5(g.firms),
            "revenue_2023": s3(g.r23),
            "growth_pct": ((g.r23 / g.r22 - 1) * 100).round(1),
        }
    )
    return {"growth.csv": csv(o)}


@good("index base 100", "e")
def _040(t):
    e = t.enterprise
    b = e.groupby("size").agg(n=("uscc", "size"), a=("revenue_2022", "mean"), b=("revenue_2023", "mean")).reset_index()
    o = pd.concat(
        [
            pd.DataFrame({"size": b["size"], "year": 2022, "n": r5(b.n), "index": 100.0}),
            pd.DataFrame({"size": b["size"], "year": 2023, "n": r5(b.n), "index": (b.b / b.a * 100).round(1)}),
        ]
    )
    return {"index.csv": csv(o)}


@good("Lorenz and Gini", "e")
def _041(t):
    x = np.sort(t.enterprise.revenue_2023.to_numpy())
    L = np.cumsum(x) / x.sum()
    n = len(x)
    g = 2 * (np.arange(1, n + 1) * x).sum() / (n * x.sum()) - (n + 1) / n
    q = np.arange(0.1, 1, 0.1)
    o = pd.DataFrame({"share_firms": q.round(1), "share_revenue": [round(float(L[int(k * n) - 1]), 2) for k in q]})
    o["n"] = int(round(n / 5) * 5)
    return {
        "lorenz.csv": csv(o),
        "gini.csv": csv(pd.DataFrame({"measure": ["Gini"], "value": [round(g, 2)], "n": [int(round(n / 5) * 5)]})),
    }


@good("R&D intensity weighted", "e")
def _042(t):
    g = (
        t.enterprise.groupby("high_tech")
        .agg(
            n=("uscc", "size"),
            rd=("rd_spend", "sum"),
            rv=("revenue_2023", "sum"),
            share=("rd_spend", lambda s: (s > 0).mean()),
        )
        .reset_index()
    )
    o = pd.DataFrame(
        {
            "high_tech": ["no" if not k else "yes" for k in g.high_tech],
            "n": r5(g.n),
            "rd_intensity_pct": (g.rd / g.rv * 100).round(2),
            "with_rd_pct": (g.share * 100).round(1),
        }
    )
    return {"rd.csv": csv(o)}


@good("feature importances", "e")
def _043(t):
    e = t.enterprise
    y = (e.revenue_2023 > e.revenue_2022).to_numpy().astype(float)
    c = ["employees", "rd_spend", "founded", "exporter"]
    X = np.column_stack(
        [np.ones(len(e)), *[(e[k].astype(float) - e[k].astype(float).mean()) / e[k].astype(float).std() for k in c]]
    )
    b, _ = logit(X, y)
    w = np.abs(b[1:])
    w = w / w.sum()
    return {
        "importance.csv": csv(
            pd.DataFrame({"feature": c, "importance": w.round(2), "n": int(round(len(e) / 5) * 5)}).sort_values(
                "importance", ascending=False
            )
        )
    }


@good("firms founded by period", "e")
def _044(t):
    d = t.enterprise
    p = pd.cut(d.founded, [1989, 1999, 2009, 2019, 2024], labels=["1990s", "2000s", "2010s", "2020s"]).astype(str)
    g = (
        d.groupby(p)
        .agg(firms=("uscc", "size"), mean_employees=("employees", "mean"), exporters=("exporter", "sum"))
        .rename_axis("founded_period")
        .reset_index()
    )
    g["exporter_share"] = (g.exporters / g.firms).round(2)
    g["firms"] = r5(g.firms)
    g["exporters"] = r5(g.exporters)
    g["mean_employees"] = s3(g.mean_employees)
    return {"period.csv": csv(g)}


@good("诉求类别排名", "c")
def _045(t):
    g = t.工单.诉求类别.value_counts().rename_axis("诉求类别").reset_index(name="工单量")
    g = g[g.工单量 >= 10]
    g["工单量"] = r5(g.工单量)
    g["占比"] = (g.工单量 / g.工单量.sum() * 100).round(1).map(lambda v: f"{v}%")
    g["序号"] = range(1, len(g) + 1)
    return {"排名.csv": csv(g)}


@good("街道月度热线", "c")
def _046(t):
    d = t.工单.assign(月=pd.to_datetime(t.工单.受理日期).dt.month)
    p = d.pivot_table(index="街道", columns="月", values="工单编号", aggfunc="count").map(
        lambda v: int(round(v / 5) * 5) if v >= 10 else None
    )
    p.columns = [f"{m}月" for m in p.columns]
    p["合计"] = p.sum(axis=1).astype(int)
    return {"月度.csv": csv(p.reset_index())}


@good("办结率与满意率", "c")
def _047(t):
    d = t.工单
    g = (
        d.groupby("街道")
        .agg(
            工单数=("状态", "size"),
            办结=("状态", lambda s: (s == "已办结").sum()),
            评价数=("满意度", "count"),
            满意=("满意度", lambda s: (s >= 4).sum()),
        )
        .reset_index()
    )
    g = g[(g.办结 >= 10) & (g.满意 >= 10)]
    o = pd.DataFrame(
        {
            "街道": g.街道,
            "工单数": r5(g.工单数),
            "办结率": (g.办结 / g.工单数 * 100).round(1),
            "评价数": r5(g.评价数),
            "满意率": (g.满意 / g.评价数 * 100).round(1),
        }
    )
    return {"办结率.csv": csv(o)}


@good("渠道年报json", "c")
def _048(t):
    g = t.工单.groupby("渠道").agg(n=("工单编号", "size"), mean_days=("办理天数", "mean")).reset_index()
    g["n"] = r5(g.n)
    g["mean_days"] = s3(g.mean_days)
    return {"channels.json": g.to_json(orient="records", force_ascii=False).encode()}


@good("办理时长分布", "c")
def _049(t):
    d = t.工单
    b = pd.cut(d.办理天数, [0, 3, 7, 15, 60], labels=["3天内", "4-7天", "8-15天", "15天以上"]).astype(str)
    c = pd.crosstab(d.诉求类别, b)[["3天内", "4-7天", "8-15天", "15天以上"]]
    c = c.where(c >= 10)
    c = ((c / 5).round() * 5).astype("Int64")
    return {"时长分布.csv": csv(c.reset_index().rename(columns={"诉求类别": "类别"}))}


@good("insured by town and scheme", "i")
def _050(t):
    g = t.social.groupby(["town", "scheme"]).size().rename("insured").reset_index()
    g = g[g.insured >= 10]
    g["insured"] = r5(g.insured)
    g["share_of_town"] = (g.insured / g.groupby("town").insured.transform("sum")).round(2)
    return {"insured.csv": csv(g)}


@good("wage base means and weighted total", "i")
def _051(t):
    a = t.social[t.social.status == "active"]
    g = a.groupby("scheme").agg(n=("person_no", "size"), mean_base=("wage_base", "mean")).reset_index()
    g["n"] = r5(g.n)
    g["mean_base"] = s3(g.mean_base)
    tot = pd.DataFrame({"scheme": ["all"], "n": [g.n.sum()], "mean_base": s3([a.wage_base.mean()])})
    return {"wage.csv": csv(pd.concat([g, tot]))}


@good("gender pay gap by age", "i")
def _052(t):
    a = t.social[t.social.status == "active"].copy()
    a["age_band"] = (a.age // 10 * 10).astype(str) + "s"
    p = a.groupby(["age_band", "gender"]).wage_base.agg(["size", "mean"]).unstack()  # noqa: PD010
    o = pd.DataFrame(
        {
            "age_band": p.index,
            "n_women": r5(p["size"].F),
            "n_men": r5(p["size"].M),
            "mean_women": s3(p["mean"].F),
            "mean_men": s3(p["mean"].M),
            "gap_pct": ((1 - p["mean"].F / p["mean"].M) * 100).round(1),
        }
    )
    return {"gap.csv": csv(o[(o.n_women >= 10) & (o.n_men >= 10)])}


@good("population pyramid", "i")
def _053(t):
    d = t.social
    b = pd.cut(d.age, list(range(15, 95, 5)), right=False).map(lambda i: f"{i.left}-{i.right - 1}").astype(str)
    c = pd.crosstab(b, d.gender)
    c = c[(c.F >= 10) & (c.M >= 10)]
    c = (c / 5).round().astype(int) * 5
    c = c.rename(columns={"F": "female", "M": "male"})
    c["sex_ratio"] = (c.male / c.female * 100).round()
    return {"pyramid.csv": csv(c.rename_axis("age").reset_index())}


@good("status transition shares", "i")
def _054(t):
    c = pd.crosstab(t.social.scheme, t.social.status, normalize="index").round(3)
    c["n"] = r5(t.social.groupby("scheme").size())
    return {"status.csv": csv(c.reset_index())}
