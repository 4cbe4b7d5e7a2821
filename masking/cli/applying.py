"""One table masked by one policy: what ``apply`` and ``anonymize`` share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from masking.cli import files, running, show
from masking.cli.report import save

if TYPE_CHECKING:
    from masking.policy.model import MaskingPolicy


def run(
    policy: MaskingPolicy,
    table: Path,
    output: Path,
    *,
    folder: Path | None,
    keys: Path | None = None,
    report: Path | None = None,
    time_limit: float | None = None,
    json: bool = False,
    en: bool = False,
) -> None:
    """Mask ``table`` into ``output`` and say what was done; hierarchy files stand in ``folder``."""
    from masking.engines.local import apply_stream
    from masking.engines.pace import stages_of
    from masking.keys import as_keys
    from masking.table import file_format, write_table

    file_format(output)  # an output that cannot be written is refused before anything is read
    files.refuse_same_file(table, output)
    with (
        running.stoppable() as cancelled,
        running.pace("脱敏 masking", stages_of(policy), running.records_in(table)) as advance,
    ):
        made = apply_stream(
            policy,
            lambda: files.open_table(table),
            as_keys(keys),
            lambda reader: _ignore(write_table(reader, output)),
            progress=advance,
            cancelled=cancelled,
            stop=running.stop_after(time_limit),
            files=folder,
        )
    if report is not None:
        save(report, made, files.write_text, public=False, en=en)
    if json:
        show.as_json(made.to_dict())
        return
    show.test_data(policy.test_data)
    show.line(show.summary(made, "en" if en else "zh"))


def _ignore(_value: object) -> None:
    """A sink returns nothing."""
