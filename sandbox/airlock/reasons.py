"""How a dry run ended, in words for its author. It met practice data only; of a sealed run nobody is told this.

Source: docs/sandbox.md 5: on practice data the author sees every error. Pure.
"""

from __future__ import annotations

from sandbox.contracts import MIB, JobResult, Limits

Text = dict[str, str]


def how_it_ended(result: JobResult, limits: Limits) -> Text | None:
    """Why a run was not ok, with the limit it met; None if it was."""
    if result.state == "ok":
        return None
    memory, output = limits.memory_bytes // MIB, limits.output_bytes // MIB
    return {
        "exit": {
            "zh": "程序出错，没有运行到底。",
            "en": "The program failed before its end.",
        },
        "timeout": {
            "zh": f"程序运行超过 {limits.wall_s:g} 秒，已被终止。",
            "en": f"The program ran for more than {limits.wall_s:g} seconds and was ended.",
        },
        "memory": {
            "zh": f"内存超过 {memory:,} MiB，程序已被终止。",
            "en": f"The program used more than {memory:,} MiB of memory and was ended.",
        },
        "output": {
            "zh": f"/out 中的产出超过上限（{limits.output_files} 个文件、共 {output} MiB），一个也没有取出。",
            "en": f"What is in /out exceeds {limits.output_files} files or {output} MiB together; none was taken.",
        },
        "cancelled": {"zh": "运行被取消。", "en": "The run was cancelled."},
        "unavailable": {"zh": "没有运行。", "en": "It was not run."},
    }[result.reason]


def both(sentence: str) -> Text:
    """A sentence ``中文 · English`` apart; one that has no English half is ours, of something that broke."""
    chinese, _, english = sentence.partition(" · ")
    return {"zh": chinese, "en": english or "Something of ours broke; submit it again, or tell the administrators."}
