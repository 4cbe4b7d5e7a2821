"""Pages that are made from code: `python -m tests.docs NAME` prints the right content of one of them.

`./run check` compares them with what is committed, `./run fix` writes them.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- promises: made by ./run fix -->", "<!-- end of promises -->"


def main(arguments: list[str]) -> int:
    """Print the page named on the command line."""
    pages = {"states": states, "policy-schema": policy_schema, "readme": readme, "worked-notebooks": worked_notebooks}
    sys.stdout.write(pages[arguments[0]]())
    return 0


def states() -> str:
    """`docs/states.md`: every state machine, from the tables that the code obeys."""
    from opendata.access import states as access
    from opendata.publishing import states as editions
    from sandbox.airlock import states as airlock
    from sandbox.imports import states as imports
    from sandbox.queries import states as queries
    from sandbox.workspaces import states as workspaces

    parts = ["# States · 状态\n", "Made from the transition tables in the code by `./run fix`.\n"]
    machines: dict[str, Mapping[Any, Any]] = {"opendata.publishing.states · edition": moves(editions.TRANSITIONS)}
    for module in (access, workspaces, airlock, imports, queries):
        for name in sorted(vars(module)):
            if name.endswith("TRANSITIONS"):
                title = f"{module.__name__} · {name.removesuffix('TRANSITIONS').strip('_').lower() or 'states'}"
                machines[title] = getattr(module, name)
    for title, transitions in machines.items():
        parts += [f"## {title}\n", "```mermaid", "stateDiagram-v2"]
        parts += [
            f"    {before} --> {after}" for before in transitions for after in sorted(map(str, transitions[before]))
        ]
        parts += ["```\n"]
    return "\n".join(parts)


def moves(acts: Mapping[Any, Any]) -> dict[str, set[str]]:
    """A table of acts (start states → end) as states and what follows."""
    after: dict[str, set[str]] = {}
    for move in acts.values():
        for start in sorted(move.start):
            after.setdefault(str(start), set()).add(str(move.end))
    return after


def policy_schema() -> str:
    """The JSON Schema of masking policies, for editors."""
    from masking.policy import json_schema

    return json.dumps(json_schema(), ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def worked_notebooks() -> str:
    """What sessions come with: the notebooks of `notebooks/` that say which tables they need, in one file."""
    books = {path.name: json.loads(path.read_text("utf-8")) for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}
    worked = {name: book for name, book in books.items() if "sandbox" in book["metadata"]}
    return json.dumps(worked, ensure_ascii=False, indent=1) + "\n"


def readme() -> str:
    """`README.md` with its table of promises; the text around the table is written by hand."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + "\n" + promise_table() + END + after


def promise_table() -> str:
    """Which promise is shown by which test today, and what is not yet.

    Raises:
        SystemExit: a promise names a test that does not exist.
    """
    rows = ["| 承诺 promise | 今天由谁证明 shown today by | 尚无 not yet |", "| --- | --- | --- |"]
    for promise in json.loads((ROOT / "tests" / "promises" / "promises.json").read_text(encoding="utf-8")):
        shown = []
        for name in promise["tests"]:
            file, _, function = name.partition("::")
            if function not in functions(ROOT / "tests" / file):
                raise SystemExit(f"promise {promise['en']!r} names {name}, which does not exist")
            shown.append(f"[`{function}`](tests/{file})")
        rows.append(
            f"| {promise['zh']}<br>{promise['en']} | {'<br>'.join(shown) or '–'} | {promise.get('not_yet', '')} |"
        )
    return "\n".join(rows) + "\n"


def functions(path: Path) -> set[str]:
    """Names of the test functions in a file."""
    if not path.exists():
        return set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
