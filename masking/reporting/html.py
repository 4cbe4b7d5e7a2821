"""
A report as one HTML file that needs nothing else: no script, no font, no picture, no address.

Even a value that looked like markup could load nothing (`page`), and every text is escaped. Chinese or English, for
screens of any width, for paper and for screen readers. No level or grade stands as a bare digit.
"""

from collections.abc import Iterable
from html import escape
from typing import Literal

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
from masking.reporting.page import document
from masking.reporting.pieces import Pieces, asked, condition, listed, risk
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


class _Page(Pieces):
    def __init__(self, report: MaskingReport | PublicReport, lang: Language) -> None:
        self.report = report
        self.internal = report if isinstance(report, MaskingReport) else None
        super().__init__(lang, inside=self.internal is not None)

    def text(self, other: str | None) -> str:
        name = escape(self.report.title.get(self.lang) or self.report.dataset)
        link = ""
        if other:
            language = "zh" if self.lang == "en" else "en"
            tongue = f'hreflang="{language}" lang="{language}"'
            link = f'<p><a href="{escape(other)}" {tongue}>{self.word("other_language")}</a></p>'
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
            ("quasi", listed(report.quasi_identifiers) or self.word("none")),
            ("derived", listed(report.derived_quasi_identifiers) or self.word("none")),
        ]
        if self.internal:
            facts.append(("anonymizable", self.word("yes" if self.internal.anonymizable else "no")))
        return f"<section><h2>{self.word('summary')}</h2>{self.facts(facts)}</section>"

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
        table = self.table(
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
            yield self.word("risk_max"), risk(before.prosecutor_max), risk(after.prosecutor_max)
            yield self.word("risk_average"), risk(before.prosecutor_average), risk(after.prosecutor_average)
            yield self.word("unique"), risk(report.unique_before), risk(report.unique_after)
            for name, least in after.distinct_l.items():
                yield f"{self.word('distinct_l')}{escape(name)}", "", f"{least}"
        yield self.word("uniqueness_all"), "", risk(report.uniqueness_all_columns)

    def _public_figures(self, report: PublicReport) -> Iterable[tuple[str, ...]]:
        yield self.word("rows"), f"{report.rows:,}"
        if report.k is not None:
            yield self.word("k_limit" if report.k_is_limit else "k"), f"{report.k:,}"
            yield self.word("risk_max"), risk(report.risk_max)
            yield self.word("risk_average"), risk(report.risk_average)
            for name, least in report.distinct_l.items():
                yield f"{self.word('distinct_l')}{escape(name)}", f"{least}"
        yield self.word("uniqueness_all"), risk(report.uniqueness_all_columns)

    def _risk_plot(self, before: RiskFigures, after: RiskFigures) -> str:
        pairs = [
            ("risk_max", before.prosecutor_max, after.prosecutor_max),
            ("risk_average", before.prosecutor_average, after.prosecutor_average),
        ]
        items, lines = [], []
        for name, first, second in pairs:
            lines.append(f"{word(name, self.lang)}: {risk(first)} → {risk(second)}")
            for side, value in (("before", first), ("after", second)):
                short = {"risk_max": ("最高", "highest"), "risk_average": ("平均", "average")}[name][self.lang == "en"]
                items.append((f"{short} · {word(side, self.lang)}", value, risk(value)))
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
            rows.append((name, escape(asked(claim.asked)), found)[: len(head)])
        table = self.table("claims_caption", [self.word(each) for each in head], rows)
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
        title = word("levels_plot", self.lang)
        items = [(self._titled(name), shares) for name, shares in recoding.levels.items()]
        drawn = svg.shares(items, title=title)
        rows = [
            (
                escape(self._titled(name)),
                ", ".join(f"{level}: {svg.percent(share)}" for level, share in enumerate(shares) if share),
            )
            for name, shares in recoding.levels.items()
        ]
        table = self.table(None, [self.word("attribute"), self.word("levels")], rows, caption=title)
        return (
            f'<section><h2>{self.word("recoding")}</h2>{self.facts(facts)}<div class="pair">{table}'
            f"<figure>{drawn}<figcaption>{escape(title)}</figcaption></figure></div></section>"
        )

    def _drill(self, drill: DrillReport) -> str:
        """What an attacker found who holds every raw quasi-identifier, and what each threshold says of it."""
        attack = f"{self.word(f'attack_{drill.attack}')}{self.word('attack_bound') if drill.bound else ''}"
        facts = [
            ("attack", attack),
            ("attacked", f"{drill.attacked:,} / {drill.released:,}"),
            ("max_probability", "–" if drill.max_probability is None else risk(drill.max_probability)),
            ("expected", risk(drill.expected)),
            ("successes", f"{drill.successes:,} ({risk(drill.lower_95)} … {risk(drill.upper_95)})"),
            ("baseline", risk(drill.baseline)),
            *(
                (f"sharing_{mode}", f"{risk(limit)}{self.word('colon')}{self._passed(drill, mode)}")
                for mode, limit in drill.thresholds.items()
            ),
        ]
        told = []
        if drill.knowledge:
            rows = [(escape(self._titled(name)), self.word(f"way_{way}")) for name, way in drill.knowledge.items()]
            told.append(self.table("knowledge", [self.word("attribute"), self.word("way")], rows))
        if drill.posterior:
            gains = drill.minimality
            found = [
                (escape(self._titled(name)), risk(most), risk(gains[name]) if name in gains else "–")
                for name, most in drill.posterior.items()
            ]
            head = [self.word(each) for each in ("attribute", "posterior", "minimality")]
            told.append(self.table("inference", head, found))
        return (
            f"<section><h2>{self.word('drill')}</h2><p>{self.word('drill_note')}</p>{self.facts(facts)}"
            f'<div class="pair">{"".join(told)}</div></section>'
        )

    def _titled(self, name: str) -> str:
        titles = {each.name: each.title.get(self.lang) for each in self.report.attributes}
        return titles.get(name) or name

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
                    ("narrowest", f"{escape(name)}{self.word('colon')}{risk(share)}")
                    for name, share in audit.narrowest.items()
                ),
            ]
            if told.method != "suppression":
                facts = [each for each in facts if each[0] not in {"audit_hidden", "optimal"}]
        settings = f"<p>{self.settings(audit.parameters)}</p>" if audit else ""
        return f"<section><h2>{self.word('protection')}</h2>{self.facts(facts)}{settings}</section>"

    def _passed(self, drill: DrillReport, sharing: str) -> str:
        return self.word("drill_passed" if drill.passes(sharing) else "drill_failed")

    def _records(self) -> str:
        items = []
        for each in self.report.records:
            said = {name: value for name, value in each.items() if name not in {"technique", "condition"}}
            when = f": <code>{escape(condition(each['condition']))}</code>" if "condition" in each else ""
            items.append(f"<li>{self.word(each['technique'])}{when} {self.settings(said)}</li>")
        return f"<section><h2>{self.word('records')}</h2><ul>{''.join(items)}</ul></section>"

    def _keys(self) -> str:
        rows = [
            (
                escape(key.name),
                str(key.version),
                listed(key.datasets) or self.word("any"),
                self.word("all") if key.joins is None else listed(key.joins) or self.word("none"),
            )
            for key in self.report.keys
        ]
        head = [self.word(name) for name in ("key", "version", "datasets", "joins")]
        return f"<section><h2>{self.word('keys')}</h2>{self.table('keys_caption', head, rows)}</section>"

    def _attributes(self) -> str:
        names = ["attribute", "role", "treatment", "loss", "nulls", "distinct"]
        if self.internal:
            names.append("rejects")
        rows = [self._attribute(each) for each in self.report.attributes]
        table = self.table("attributes_caption", [self.word(name) for name in names], rows, stacked=True)
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
        treatment = f"{said}<code>{escape(each.technique)}</code> {self.settings(each.parameters)}"
        if each.condition:
            other = each.otherwise or {}
            treatment += (
                f"<br>{self.word('when')} <code>{escape(condition(each.condition))}</code>"
                f"<br>{self.word('otherwise')} "
                f"<code>{escape(str(other.get('technique', '')))}</code> {self.settings(other.get('parameters', {}))}"
            )
        cells = [
            f"{self.name(each)}{marks}",
            f"{escape(each.role.title(self.lang))}{level}",
            treatment,
            self._loss(each),
            self.change(each.nulls_before, None if each.dropped else each.nulls),
            self.change(each.distinct_before, each.distinct),
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
        return f'<article><h3>{self.name(each)}</h3><div class="plots">{body}</div></article>'

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
        table = self.table(None, head, rows, caption=title, numbers=True)
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
