"""
A report as one HTML file that needs nothing else: no script, no font, no picture, no address.

It holds its own policy for browsers (``default-src 'none'``), so that even a value that looked like markup could load
nothing; every text is escaped. Chinese or English, for screens of any width, for paper and for screen readers. No level
or grade stands as a bare digit.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, Literal

from masking.report import (
    AttributeReport,
    Distribution,
    DrillReport,
    MaskingReport,
    Protection,
    PublicReport,
    RecodingReport,
    RiskFigures,
)
from masking.reporting import svg
from masking.reporting.words import LIMITS, LOSS_NAMES, LOSSES, WITHHELD, Language, word
from masking.taxonomy import DataLevel

Kind = Literal["internal", "public"]


def to_html(
    report: MaskingReport | PublicReport,
    lang: Language = "zh",
    kind: Kind = "internal",
    *,
    other: str | None = None,
) -> str:
    """
    The page of a report.

    ``kind``: "public" shows the public half, and is the only choice for a ``PublicReport``. ``other``: the address of
    the same page in the other language, to link to.
    """
    if isinstance(report, MaskingReport) and kind == "public":
        report = report.public()
    return _Page(report, lang).text(other)


def document(name: str, what: str, about: str, body: str, lang: Language, link: str = "") -> str:
    """A whole page: its ``name`` with ``what`` it is, a line ``about`` it, and its ``body``; all of them markup."""
    return (
        f'<!doctype html>\n<html lang="{"en" if lang == "en" else "zh-CN"}"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{name} · {what}</title><style>{_STYLE}</style></head><body><header>{link}"
        f"<h1>{name}</h1><p>{about}</p></header><main>{body}</main></body></html>\n"
    )


class _Page:
    def __init__(self, report: MaskingReport | PublicReport, lang: Language) -> None:
        self.report = report
        self.lang: Language = lang
        self.internal = report if isinstance(report, MaskingReport) else None

    def word(self, name: str, **values: Any) -> str:
        return escape(word(name, self.lang).format(**values))

    def pick(self, pair: Sequence[str]) -> str:
        return escape(pair[self.lang == "en"])

    def text(self, other: str | None) -> str:
        name = escape(self.report.title.get(self.lang) or self.report.dataset)
        link = ""
        if other:
            language = "zh" if self.lang == "en" else "en"
            link = f'<p><a href="{escape(other)}" hreflang="{language}">{self.word("other_language")}</a></p>'
        kind = self.word("internal" if self.internal else "public")
        return document(
            name, self.word("report"), f"{self.word('report')} · {kind}", "".join(self._parts()), self.lang, link
        )

    def _parts(self) -> Iterable[str]:
        if self.report.test_data:
            yield f'<p class="warning"><strong>{self.word("test_data")}</strong></p>'
        yield self._outcome()
        yield self._figures()
        if self.report.claims:
            yield self._claims()
        if self.internal and self.internal.recoding:
            yield self._recoding(self.internal.recoding)
        if self.internal and self.internal.drill:
            yield self._drill(self.internal.drill)
        protection = self._public.protection
        if protection:
            yield self._protection(protection)
        if self.report.records:
            yield self._records()
        yield self._attributes()
        if self.report.kind == "microdata":
            yield self._distributions()
        if self.report.keys:
            yield self._keys()
        yield self._notes()

    # Parts of the page.

    def _outcome(self) -> str:
        report = self.report
        facts: list[tuple[str, str | None]] = [
            ("effect", escape(report.effect.title(self.lang))),
            ("legal_status", escape(report.legal_status.title(self.lang))),
            ("level", escape(DataLevel(report.level).title(self.lang)) if report.level else None),
            ("kind", self.word(report.kind)),
            ("quasi", _listed(report.quasi_identifiers) or self.word("none")),
            ("derived", _listed(report.derived_quasi_identifiers) or self.word("none")),
        ]
        if self.internal:
            facts.append(("anonymizable", self.word("yes" if self.internal.anonymizable else "no")))
        shown = "".join(f"<div><dt>{self.word(name)}</dt><dd>{value}</dd></div>" for name, value in facts if value)
        return f'<section><h2>{self.word("summary")}</h2><dl class="facts">{shown}</dl></section>'

    def _figures(self) -> str:
        plot = ""
        if self.internal:
            head = ["measure", "before", "after"]
            rows = list(self._internal_figures(self.internal))
            if self.internal.before and self.internal.after:
                plot = self._risk_plot(self.internal.before, self.internal.after)
        else:
            assert isinstance(self.report, PublicReport)
            head = ["measure", "after"]
            rows = list(self._public_figures(self.report))
        table = self._table(
            "figures_caption" if self.internal else "figures_public",
            [self.word(name) for name in head],
            rows,
            numbers=True,
        )
        return f'<section><h2>{self.word("figures")}</h2><div class="pair">{table}{plot}</div></section>'

    def _internal_figures(self, report: MaskingReport) -> Iterable[tuple[str, ...]]:
        yield self.word("rows"), f"{report.rows_in:,}", f"{report.rows_out:,}"
        yield self.word("left_out"), "", f"{report.left_out:,}"
        yield self.word("suppressed"), "", f"{report.suppressed:,}"
        before, after = report.before, report.after
        if before and after:
            yield self.word("persons"), f"{before.persons:,}", f"{after.persons:,}"
            yield self.word("classes"), f"{before.classes:,}", f"{after.classes:,}"
            yield self.word("k"), f"{before.k:,}", f"{after.k:,}"
            yield self.word("risk_max"), _risk(before.prosecutor_max), _risk(after.prosecutor_max)
            yield self.word("risk_average"), _risk(before.prosecutor_average), _risk(after.prosecutor_average)
            yield self.word("unique"), _risk(report.unique_before), _risk(report.unique_after)
            for name, least in after.distinct_l.items():
                yield f"{self.word('distinct_l')}{escape(name)}", "", f"{least}"
        yield self.word("uniqueness_all"), "", _risk(report.uniqueness_all_columns)

    def _public_figures(self, report: PublicReport) -> Iterable[tuple[str, ...]]:
        yield self.word("rows"), f"{report.rows:,}"
        if report.k is not None:
            yield self.word("k_limit" if report.k_is_limit else "k"), f"{report.k:,}"
            yield self.word("risk_max"), _risk(report.risk_max)
            yield self.word("risk_average"), _risk(report.risk_average)
            for name, least in report.distinct_l.items():
                yield f"{self.word('distinct_l')}{escape(name)}", f"{least}"
        yield self.word("uniqueness_all"), _risk(report.uniqueness_all_columns)

    def _risk_plot(self, before: RiskFigures, after: RiskFigures) -> str:
        pairs = [
            ("risk_max", before.prosecutor_max, after.prosecutor_max),
            ("risk_average", before.prosecutor_average, after.prosecutor_average),
        ]
        items, lines = [], []
        for name, first, second in pairs:
            lines.append(f"{word(name, self.lang)}: {_risk(first)} → {_risk(second)}")
            for side, value in (("before", first), ("after", second)):
                short = {"risk_max": ("最高", "highest"), "risk_average": ("平均", "average")}[name][self.lang == "en"]
                items.append((f"{short} · {word(side, self.lang)}", value, _risk(value)))
        title = word("risk_plot", self.lang)
        drawn = svg.bars(items, title=title, description="; ".join(lines), colours=[svg.BEFORE, svg.AFTER] * 2)
        return f"<figure>{drawn}<figcaption>{escape(title)}</figcaption></figure>"

    def _claims(self) -> str:
        """The limits that the released table was proved to meet."""
        head = ["limit", "asked", "found"] if self.internal else ["limit", "asked"]
        rows = []
        for claim in self.report.claims:
            name = f"{self.pick(LIMITS[claim.limit])}<br><code>{escape(claim.limit)}</code>"
            found = "–" if claim.found is None else f"{claim.found:,.6g}"
            rows.append((name, escape(_asked(claim.asked)), found)[: len(head)])
        table = self._table("claims_caption", [self.word(each) for each in head], rows)
        return f"<section><h2>{self.word('claims')}</h2>{table}</section>"

    def _recoding(self, recoding: RecodingReport) -> str:
        """How a search generalized: figures, and for each attribute the share of records at each level."""
        facts = [
            ("recoding_kind", self.word(f"recoding_{recoding.kind}")),
            ("granularity", f"{recoding.granularity:.4f}"),
            ("starred", f"{recoding.suppressed_records:,}"),
            ("left_records", f"{recoding.left_records:,}"),
            ("optimal", self.word("optimal_yes" if recoding.optimal else "optimal_no")),
        ]
        shown = "".join(f"<div><dt>{self.word(name)}</dt><dd>{value}</dd></div>" for name, value in facts)
        titles = {each.name: each.title.get(self.lang) or each.name for each in self.report.attributes}
        title = word("levels_plot", self.lang)
        items = [(titles.get(name, name), shares) for name, shares in recoding.levels.items()]
        drawn = svg.shares(items, title=title)
        rows = [
            (
                escape(titles.get(name, name)),
                ", ".join(f"{level}: {svg.percent(share)}" for level, share in enumerate(shares) if share),
            )
            for name, shares in recoding.levels.items()
        ]
        table = self._table(None, [self.word("attribute"), self.word("levels")], rows, caption=title)
        return (
            f'<section><h2>{self.word("recoding")}</h2><dl class="facts">{shown}</dl><div class="pair">{table}'
            f"<figure>{drawn}<figcaption>{escape(title)}</figcaption></figure></div></section>"
        )

    def _drill(self, drill: DrillReport) -> str:
        """What an attacker found who holds every raw quasi-identifier, and what each threshold says of it."""
        attack = f"{self.word(f'attack_{drill.attack}')}{self.word('attack_bound') if drill.bound else ''}"
        facts = [
            ("attack", attack),
            ("attacked", f"{drill.attacked:,} / {drill.released:,}"),
            ("max_probability", "–" if drill.max_probability is None else _risk(drill.max_probability)),
            ("expected", _risk(drill.expected)),
            ("successes", f"{drill.successes:,} ({_risk(drill.lower_95)} … {_risk(drill.upper_95)})"),
            ("baseline", _risk(drill.baseline)),
            *(
                (f"sharing_{mode}", f"{_risk(limit)}{self.word('colon')}{self._passed(drill, mode)}")
                for mode, limit in drill.thresholds.items()
            ),
        ]
        shown = "".join(f"<div><dt>{self.word(name)}</dt><dd>{value}</dd></div>" for name, value in facts)
        titles = {each.name: each.title.get(self.lang) or each.name for each in self.report.attributes}
        told = []
        if drill.knowledge:
            rows = [(escape(titles.get(name, name)), self.word(f"way_{way}")) for name, way in drill.knowledge.items()]
            told.append(self._table("knowledge", [self.word("attribute"), self.word("way")], rows))
        if drill.posterior:
            gains = drill.minimality
            found = [
                (escape(titles.get(name, name)), _risk(most), _risk(gains[name]) if name in gains else "–")
                for name, most in drill.posterior.items()
            ]
            head = [self.word(each) for each in ("attribute", "posterior", "minimality")]
            told.append(self._table("inference", head, found))
        return (
            f'<section><h2>{self.word("drill")}</h2><p>{self.word("drill_note")}</p><dl class="facts">{shown}</dl>'
            f'<div class="pair">{"".join(told)}</div></section>'
        )

    @property
    def _public(self) -> PublicReport:
        return self.report.released if isinstance(self.report, MaskingReport) else self.report

    def _protection(self, told: Protection) -> str:
        """How a table with margins is protected; inside also what that cost and how the audit went."""
        audit = self.internal.audit if self.internal else None
        facts = [
            ("method", self.word(f"method_{told.method}")),
            ("threshold", f"{told.threshold:,}"),
            *([("base", f"{told.base:,}")] if told.base else []),
            ("additive", self.word("is_so" if told.additive else "is_not_so")),
        ]
        if audit:
            answered = self.word("audit_answered", by_witness=audit.by_witness, by_program=audit.by_program)
            facts += [
                ("audit_cells", f"{audit.cells:,} / {audit.empty:,}"),
                ("audit_hidden", f"{audit.primary:,} / {audit.complementary:,}"),
                ("optimal", self.word("audit_optimal_yes" if audit.optimal else "audit_optimal_no")),
                ("audit_furthest", f"{audit.furthest:,}"),
                ("audit_asked", f"{audit.asked:,}{self.word('colon')}{answered}"),
                *(
                    ("narrowest", f"{escape(name)}{self.word('colon')}{_risk(share)}")
                    for name, share in audit.narrowest.items()
                ),
            ]
            if told.method != "suppression":
                facts = [each for each in facts if each[0] not in {"audit_hidden", "optimal"}]
        listed = "".join(f"<div><dt>{self.word(name)}</dt><dd>{value}</dd></div>" for name, value in facts)
        settings = f"<p>{self._settings(audit.parameters)}</p>" if audit else ""
        return f'<section><h2>{self.word("protection")}</h2><dl class="facts">{listed}</dl>{settings}</section>'

    def _passed(self, drill: DrillReport, sharing: str) -> str:
        return self.word("drill_passed" if drill.passes(sharing) else "drill_failed")

    def _records(self) -> str:
        items = []
        for each in self.report.records:
            said = {name: value for name, value in each.items() if name not in {"technique", "condition"}}
            when = f": <code>{escape(_condition(each['condition']))}</code>" if "condition" in each else ""
            items.append(f"<li>{self.word(each['technique'])}{when} {self._settings(said)}</li>")
        return f"<section><h2>{self.word('records')}</h2><ul>{''.join(items)}</ul></section>"

    def _keys(self) -> str:
        rows = [
            (
                escape(key.name),
                str(key.version),
                _listed(key.datasets) or self.word("any"),
                self.word("all") if key.joins is None else _listed(key.joins) or self.word("none"),
            )
            for key in self.report.keys
        ]
        head = [self.word(name) for name in ("key", "version", "datasets", "joins")]
        return f"<section><h2>{self.word('keys')}</h2>{self._table('keys_caption', head, rows)}</section>"

    def _attributes(self) -> str:
        names = ["attribute", "role", "treatment", "loss", "nulls", "distinct"]
        if self.internal:
            names.append("rejects")
        rows = [self._attribute(each) for each in self.report.attributes]
        table = self._table("attributes_caption", [self.word(name) for name in names], rows, stacked=True)
        return f"<section><h2>{self.word('attributes')}</h2>{table}</section>"

    def _attribute(self, each: AttributeReport) -> tuple[str, ...]:
        marks = "".join(
            f'<br><span class="mark">{self.word(name)}</span>'
            for name, holds in (("dropped", each.dropped), ("invented", each.invented))
            if holds
        )
        level = f"<br>{escape(DataLevel(each.level).title(self.lang))}" if each.level else ""
        sentence = each.sentence.get(self.lang, "").split("：" if self.lang == "zh" else ": ", maxsplit=1)[-1]
        said = f"{escape(sentence)}<br>" if sentence else ""
        treatment = f"{said}<code>{escape(each.technique)}</code> {self._settings(each.parameters)}"
        if each.condition:
            other = each.otherwise or {}
            treatment += (
                f"<br>{self.word('when')} <code>{escape(_condition(each.condition))}</code>"
                f"<br>{self.word('otherwise')} "
                f"<code>{escape(str(other.get('technique', '')))}</code> {self._settings(other.get('parameters', {}))}"
            )
        cells = [
            f"{self._name(each)}{marks}",
            f"{escape(each.role.title(self.lang))}{level}",
            treatment,
            self._loss(each),
            self._change(each.nulls_before, None if each.dropped else each.nulls),
            self._change(each.distinct_before, each.distinct),
        ]
        return (*cells, f"{each.rejects:,}") if self.internal else tuple(cells)

    def _loss(self, each: AttributeReport) -> str:
        if each.loss is None:
            return "–"
        kind = self.pick(LOSS_NAMES[each.loss_kind]) if each.loss_kind in LOSS_NAMES else ""
        bar = f'<span class="bar" aria-hidden="true"><span style="width:{each.loss:.0%}"></span></span>'
        return f'{each.loss:.2f} {bar}<br><span class="mark">{kind}</span>'

    def _distributions(self) -> str:
        drawn = "".join(self._plots(each) for each in self.report.attributes)
        return f"<section><h2>{self.word('distributions')}</h2>{drawn}</section>"

    def _plots(self, each: AttributeReport) -> str:
        shown = [
            (side, made)
            for side, made in (("before", each.before), ("after", each.after))
            if made is not None and made.cells
        ]
        if not shown and each.dropped:
            return ""
        body = "".join(self._plot(each, side, made) for side, made in shown)
        if each.withheld in WITHHELD and not (each.after and each.after.cells):
            body += f"<p>{self.word('no_plot')}{self.pick(WITHHELD[each.withheld])}</p>"
        return f'<article><h3>{self._name(each)}</h3><div class="plots">{body}</div></article>'

    def _plot(self, each: AttributeReport, side: str, shown: Distribution) -> str:
        title = f"{each.title.get(self.lang) or each.name} · {word(side, self.lang)}"
        colour = svg.BEFORE if side == "before" else svg.AFTER
        drawn = svg.distribution(shown, title=title, colour=colour, lang=self.lang)
        notes = [word("least", self.lang).format(least=shown.least)] if shown.least > 1 else []
        notes += [word("rounded", self.lang).format(base=shown.rounding)] if shown.rounding > 1 else []
        notes += [word("sampled", self.lang)] if shown.sampled else []
        notes += [word("merged", self.lang)] if shown.kind == "histogram" else []
        total = svg.total_of(shown) or 1
        rows = [
            (escape(svg.cell_label(cell, shown)), f"{cell.count:,}", svg.percent(cell.count / total))
            for cell in shown.cells
        ]
        if shown.pooled:
            rows.append((self.word("others"), f"{shown.pooled:,}", svg.percent(shown.pooled / total)))
        head = [self.word(name) for name in ("value", "count", "share")]
        table = self._table(None, head, rows, caption=title, numbers=True)
        separator = "；" if self.lang == "zh" else "; "
        return (
            f"<figure>{drawn}<figcaption><strong>{escape(title)}</strong><br>{escape(separator.join(notes))}</figcaption>"
            f"<details><summary>{self.word('data')}</summary>{table}</details></figure>"
        )

    def _notes(self) -> str:
        used = {each.loss_kind for each in self.report.attributes if each.loss is not None}
        losses = "".join(
            f"<li>{self.pick(LOSS_NAMES[kind])}{self.word('colon')}{self.pick(pair)}</li>"
            for kind, pair in LOSSES.items()
            if kind in used
        )
        notes = [self.word("note_risk"), self.word("note_internal" if self.internal else "note_public")]
        notes.append(self.word("note_distinct"))
        if self.internal and self.internal.policy_digest:
            notes.append(f"{self.word('digest')} <code>{escape(self.internal.policy_digest)}</code>")
        paragraphs = "".join(f"<p>{note}</p>" for note in notes)
        return (
            f"<section><h2>{self.word('notes')}</h2>{paragraphs}"
            + (f"<h3>{self.word('note_loss')}</h3><ul>{losses}</ul>" if losses else "")
            + "</section>"
        )

    # Pieces.

    def _name(self, each: AttributeReport) -> str:
        title = each.title.get(self.lang)
        return f"{escape(title)} <code>{escape(each.name)}</code>" if title else f"<code>{escape(each.name)}</code>"

    def _settings(self, values: Mapping[str, Any]) -> str:
        if not values:
            return ""
        said = ", ".join(f"{name} = {_plain(value)}" for name, value in values.items() if value is not None)
        return f'<span class="settings">{escape(svg.printable(said))}</span>'

    def _change(self, before: int | None, after: int | None) -> str:
        if self.internal is None:
            return "–" if after is None else f"{after:,}"
        sides = ["–" if value is None else f"{value:,}" for value in (before, after)]
        return " → ".join(sides)

    def _table(
        self,
        name: str | None,
        head: Sequence[str],
        rows: Iterable[Sequence[str]],
        *,
        caption: str = "",
        numbers: bool = False,
        stacked: bool = False,
    ) -> str:
        """A table with a caption; on small screens a ``stacked`` one shows each cell under its own head."""
        title = self.word(name) if name else escape(caption)
        top = "".join(f'<th scope="col">{each}</th>' for each in head)
        body = []
        for row in rows:
            first, *others = row
            cells = f'<th scope="row">{first}</th>' + "".join(
                f'<td data-head="{label}">{cell}</td>' for label, cell in zip(head[1:], others, strict=True)
            )
            body.append(f"<tr>{cells}</tr>")
        kinds = " ".join(kind for kind, holds in (("numbers", numbers), ("stacked", stacked)) if holds)
        return (
            f'<table class="{kinds}"><caption>{title}</caption><thead><tr>{top}</tr></thead>'
            f"<tbody>{''.join(body)}</tbody></table>"
        )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"<code>{escape(name)}</code>" for name in names)


def _risk(share: float) -> str:
    return f"{share:.2%}" if share < 0.1 else f"{share:.1%}"


def _condition(words: Mapping[str, Any]) -> str:
    """A condition as people write it: ``age ≥ 97``, several joined by ∧ (and) or ∨ (or)."""
    for joint, sign in (("all", " ∧ "), ("any", " ∨ ")):
        if joint in words:
            return sign.join(f"({_condition(part)})" for part in words[joint])
    comparison, value = next((name, value) for name, value in words.items() if name != "column")
    return svg.printable(f"{words.get('column', '')} {_SIGNS.get(comparison, comparison)} {_plain(value)}")


def _asked(value: Any) -> str:
    """A limit as its policy writes it, without the hierarchies that it may name."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_asked(part)}" for name, part in value.items() if not isinstance(part, Mapping))
    if isinstance(value, list | tuple):
        return ", ".join(_asked(part) for part in value)
    return f"{value:,.6g}" if isinstance(value, int | float) else str(value)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


_SIGNS = {"equals": "=", "in": "∈", "not_in": "∉", "at_least": "≥", "below": "<", "is_null": "= null:", "matches": "~"}
_STYLE = (
    "html{font:16px/1.55 system-ui,'PingFang SC','Noto Sans CJK SC','Microsoft YaHei',sans-serif;color:#1a1a1a;"
    "background:#fff}body{margin:0 auto;max-width:70rem;padding:1rem 1.25rem 3rem}"
    "h1{font-size:1.7rem;line-height:1.25;margin:.6rem 0 0}h2{font-size:1.25rem;margin:2.2rem 0 .6rem;"
    "border-bottom:2px solid #1a1a1a;padding-bottom:.2rem}h3{font-size:1rem;margin:0 0 .4rem}"
    "header p{margin:.2rem 0;color:#444}code{font:.875em ui-monospace,monospace;overflow-wrap:anywhere}"
    ".facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(16rem,1fr));gap:.8rem 1.5rem;margin:0}"
    ".facts dt{color:#555;font-size:.875rem}.facts dd{margin:0;font-weight:600}"
    "table{border-collapse:collapse;width:100%;font-size:.875rem}caption{text-align:left;color:#555;padding:.3rem 0}"
    "th,td{text-align:left;vertical-align:top;padding:.4rem .6rem .4rem 0;border-bottom:1px solid #d0d0d0}"
    "thead th{border-bottom:2px solid #888}tbody th{font-weight:600}"
    ".numbers td,.numbers thead th:not(:first-child){text-align:right;font-variant-numeric:tabular-nums;"
    "white-space:nowrap}"
    ".pair{display:grid;grid-template-columns:minmax(0,3fr) minmax(0,2fr);gap:1rem 2.5rem;align-items:start}"
    ".plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(17rem,26rem));gap:1rem 2.5rem}"
    "article{margin:1.2rem 0 1.8rem;break-inside:avoid}figure{margin:0;min-width:0;break-inside:avoid}"
    "svg{width:100%;max-width:28rem;height:auto;display:block;font-size:11px;fill:currentColor}"
    "svg.wide{max-width:44rem}"
    "figcaption{font-size:.8125rem;color:#444}summary{cursor:pointer;font-size:.8125rem;padding:.2rem 0}"
    ".settings{color:#444;overflow-wrap:anywhere}.mark{color:#555;font-weight:400}"
    ".bar{display:inline-block;width:4rem;height:.6rem;background:#e4e4e4;vertical-align:baseline}"
    ".bar span{display:block;height:100%;background:#0072b2}"
    ".warning{border:3px solid #b00020;padding:.6rem .8rem}"
    "@media(max-width:44rem){.pair{grid-template-columns:minmax(0,1fr)}"
    ".stacked thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}"
    ".stacked tr,.stacked tbody,.stacked th,.stacked td,.stacked caption,.stacked{display:block}"
    ".stacked tr{padding:.6rem 0;border-bottom:1px solid #888}.stacked th,.stacked td{border:0;padding:.1rem 0}"
    ".stacked td::before{content:attr(data-head) '：';color:#555}"
    "[lang=en] .stacked td::before{content:attr(data-head) ': '}}"
    "@media print{html{font-size:11pt}body{max-width:none;padding:0}details{display:none}"
    ".bar,svg,.bar span{print-color-adjust:exact;-webkit-print-color-adjust:exact}}"
)
