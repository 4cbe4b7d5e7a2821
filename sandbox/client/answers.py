"""Answers of fixed tables and tables of released outputs: they show themselves, become a frame, and draw themselves.

A drawing is made from the shown figures only, in this kernel, by the code that also draws the portal's page.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sandbox.client.charts import MOST_PLACES, Drawing, draw, left_out, stacked
from sandbox.client.display import escape, facts, link, picture, table, words
from sandbox.client.errors import ClientError
from sandbox.client.grid import HIDDEN, MISSING, Axis, Cell, Grid, both, figure_text, measures_of, pivot

MOST_ROWS: Final = 200
"""Rows that a notebook shows; a frame has all of them."""
UNRELIABLE: Final = "unreliable"
_MARKED: Final = ("rough", UNRELIABLE)
_HIDDEN_NOTE: Final = f"{HIDDEN} 不予显示 not shown"


@dataclass(frozen=True, slots=True)
class Plot:
    """What was drawn: shows itself in a notebook; ``.save("visits.svg")`` writes it."""

    title: str
    drawings: tuple[Drawing, ...]
    left_out: int = 0

    @property
    def svg(self) -> str:
        """All of it as one document."""
        return stacked(self.drawings, self.title)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write it as SVG and return where it is."""
        target = Path(path)
        target.write_text(self.svg, "utf-8")
        return target

    def __repr__(self) -> str:
        return f"Plot({self.title!r}, {len(self.drawings)})"

    def _repr_html_(self) -> str:
        more = f"<p>另有 {self.left_out} 类没有画出 {self.left_out} categories are not drawn</p>"
        shown = "".join(picture(each.title, each.svg(heading=True)) for each in self.drawings)
        return shown + (more if self.left_out else "")


@dataclass(frozen=True, slots=True)
class QueryAnswer:
    """The service's answer to a question put to fixed tables (固定口径统计). A hidden figure is None."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    json: dict[str, Any] = field(repr=False)
    by: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, item: dict[str, Any], by: Sequence[str] = ()) -> QueryAnswer:
        columns = tuple(str(c["name"]) if isinstance(c, dict) else str(c) for c in item.get("columns") or ())
        return cls(columns, tuple(tuple(row) for row in item.get("rows") or ()), item, tuple(by))

    @property
    def measures(self) -> tuple[str, ...]:
        """Names of its measures; each has a column ``<name>_error`` beside it, half a 95 % interval."""
        return tuple(measures_of(self.json))

    @property
    def quality(self) -> dict[str, tuple[str | None, ...]]:
        """Of each measure, row by row: ``good``, ``rough`` (error above a third of the figure), ``unreliable`` (above
        two thirds: mostly noise), None where the figure is not shown.
        """
        return {str(name): tuple(marks) for name, marks in (self.json.get("quality") or {}).items()}

    @property
    def unreliable(self) -> int:
        """How many shown figures are mostly noise."""
        return sum(mark == UNRELIABLE for marks in self.quality.values() for mark in marks)

    @property
    def page(self) -> str:
        """Address of the same table in the portal."""
        return str(self.json.get("page") or "")

    def to_pandas(self, *, labels: str = "", quality: bool = False) -> Any:
        """A pandas DataFrame with one row for each combination. ``labels``: ``zh`` or ``en`` gives titles for codes.

        ``quality``: a column ``<name>_quality`` more for each measure.
        """
        import pandas as pd

        frame = pd.DataFrame(list(self.rows), columns=list(self.columns))
        for name, marks in self.quality.items() if quality else ():
            frame[f"{name}_quality"] = list(marks)
        for name, titles in (self.json.get("labels") or {}).items() if labels else ():
            frame[name] = frame[name].map({code: str(title.get(labels) or code) for code, title in titles.items()})
        return frame

    frame = to_pandas

    def plot(self, measure: str = "", *, by: Sequence[str] = (), lang: str = "zh") -> Plot:
        """Bars with their errors, grouped bars, or a heat map; a third dimension gives a drawing a category.

        ``measure``: a name of the question, the first one by default. ``by``: rows, columns, panels; ``lang``: zh, en.

        Raises:
            ClientError: there is no such measure or dimension, or nothing to draw by.
        """
        try:
            grid = pivot(self.json, measure=measure, by=by or self.by)
        except (KeyError, StopIteration):
            raise _no_column(measure, by, self.columns) from None
        return _plot(grid, lang)

    def __repr__(self) -> str:
        number = len(self.rows)
        bad = f", {self.unreliable} 个数字不可靠 figures unreliable" if self.unreliable else ""
        return f"QueryAnswer({self.json.get('dataset', '')!r}, {', '.join(self.columns)}: {number} 行 rows{bad})"

    def _repr_html_(self) -> str:
        item = self.json
        shown = [each for each in item.get("columns") or () if isinstance(each, dict) and each.get("kind") != "error"]
        head = [both(each.get("title") or {}) or str(each.get("name")) for each in shown]
        marks = self.quality
        rows = [[self._cell(each, place, marks) for each in shown] for place in range(min(MOST_ROWS, len(self.rows)))]
        told = [
            ("数据 dataset", words(item.get("title"))),
            ("公布 published", str(item.get("published_at") or "")[:10]),
            ("计数单位 counted", words(item.get("counted"))),
            ("说明 note", words(item.get("note"))),
        ]
        below = [_HIDDEN_NOTE] if item.get("hidden") else []
        if any(mark in _MARKED for found in marks.values() for mark in found):
            below.append(words(item.get("quality_note")))
        if len(self.rows) > MOST_ROWS:
            below.append(f"前 {MOST_ROWS} 行，共 {len(self.rows)} 行 first {MOST_ROWS} of {len(self.rows)} rows")
        notes = "".join(f"<p>{escape(each)}</p>" for each in below)
        return table(head, rows) + notes + facts(told) + (link(self.page, "在门户中打开 open in the portal"))

    def _cell(self, column: Mapping[str, Any], place: int, quality: Mapping[str, Sequence[str | None]]) -> str:
        row = self.rows[place]
        value = row[self.columns.index(str(column["name"]))]
        if column.get("kind") == "dimension":
            labels = (self.json.get("labels") or {}).get(column["name"]) or {}
            return both(labels.get(value) or {}) or str(value)
        error = next((str(each["name"]) for each in self.json["columns"] if each.get("of") == column["name"]), "")
        if value is None or not error:
            return figure_text(value)
        mark = quality[str(column["name"])][place] if column["name"] in quality else None
        told = f"{figure_text(value)} ± {figure_text(row[self.columns.index(error)])}"
        return f"{told}（{words((self.json.get('quality_titles') or {}).get(mark))}）" if mark in _MARKED else told


@dataclass(frozen=True, slots=True)
class ReleasedTable:
    """A table of a released output, as it was let out."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...] = field(repr=False)

    @classmethod
    def from_csv(cls, name: str, content: bytes) -> ReleasedTable:
        head, *rows = csv.reader(io.StringIO(content.decode("utf-8-sig"))) if content else ([],)
        return cls(name, tuple(head), tuple(tuple(row) for row in rows))

    def to_pandas(self) -> Any:
        """A pandas DataFrame; numbers are numbers."""
        import pandas as pd

        sink = io.StringIO()
        csv.writer(sink).writerows([self.columns, *self.rows])
        sink.seek(0)
        return pd.read_csv(sink)

    def plot(self, y: str = "", *, by: Sequence[str] = (), lang: str = "zh") -> Plot:
        """Bars, grouped bars or a heat map of a column of numbers by one to three columns of groups.

        ``y``: the first column of numbers by default; ``by``: the columns of text by default.

        Raises:
            ClientError: there is no such column, no column of numbers or of text, or two rows have the same groups.
        """
        numbers = [name for place, name in enumerate(self.columns) if self._numbers(place)]
        groups = list(by) or [name for name in self.columns if name not in numbers][:3]
        shown = y or next((name for name in numbers if name not in groups), "")
        if shown not in numbers or not groups or not set(groups) <= set(self.columns) or len(groups) > 3:
            raise _no_column(y, by, self.columns)
        return _plot(self._grid(shown, groups), lang)

    def _numbers(self, place: int) -> bool:
        found = [row[place] for row in self.rows if row[place]]
        return bool(found) and all(_is_number(each) for each in found)

    def _grid(self, shown: str, groups: Sequence[str]) -> Grid:
        at = {name: place for place, name in enumerate(self.columns)}
        axes = []
        for name in groups:
            codes = tuple(dict.fromkeys(row[at[name]] for row in self.rows))
            axes.append(Axis(name, _text(name), codes, tuple(_text(code) for code in codes)))
        rows, columns, panels, *_ = (*axes, MISSING, MISSING, MISSING)
        cells: dict[tuple[int, int, int], Cell] = {
            (panel, row, column): (None, None)
            for panel in range(len(panels)) for row in range(len(rows)) for column in range(len(columns))
        }  # fmt: skip
        taken = set()
        for each in self.rows:
            places = [axis.codes.index(each[at[axis.name]]) for axis in axes] + [0, 0, 0]
            place = (places[2], places[0], places[1])
            if place in taken:
                raise ClientError(
                    f"有两行的 {'、'.join(groups)} 相同；请用 by 指明更多分组列。",
                    f"Two rows have the same {', '.join(groups)}; name more columns in by.",
                )
            taken.add(place)
            cells[place] = (float(each[at[shown]]), None) if each[at[shown]] else (None, None)
        return Grid(shown, _text(shown), rows, columns, panels, cells)

    def __repr__(self) -> str:
        return f"ReleasedTable({self.name!r}, {', '.join(self.columns)}: {len(self.rows)} 行 rows)"

    def _repr_html_(self) -> str:
        more = f"<p>前 {MOST_ROWS} 行，共 {len(self.rows)} 行 first {MOST_ROWS} of {len(self.rows)} rows</p>"
        shown = table(self.columns, self.rows[:MOST_ROWS], caption=self.name)
        return shown + (more if len(self.rows) > MOST_ROWS else "")


def _plot(grid: Grid, lang: str) -> Plot:
    drawings = draw(grid, lang)
    if not drawings and grid.axes:
        raise ClientError(
            f"一个维度多于 {MOST_PLACES} 类，画出来无法辨认；请用 .to_pandas()。",
            f"A dimension has more than {MOST_PLACES} categories, too many for a picture; use .to_pandas().",
        )
    if not drawings:
        raise ClientError("只有一个总数，没有可画的维度。", "There is one total only, and no dimension to draw by.")
    return Plot(grid.said(lang), tuple(drawings), left_out(grid))


def _no_column(measure: str, by: Sequence[str], columns: Sequence[str]) -> ClientError:
    asked = ", ".join(each for each in (measure, *by) if each) or "–"
    return ClientError(
        f"不能这样画：{asked}；表中有 {', '.join(columns)}，按一至三个分组列画一列数字。",
        f"Cannot draw {asked}; the table has {', '.join(columns)}: one column of numbers by one to three of groups.",
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _text(word: str) -> dict[str, str]:
    return {"zh": word, "en": word}
