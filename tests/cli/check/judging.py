"""Sources that say themselves what is to be found in them: a line that ends with
`#! SCH101` has that finding (several, separated by blanks), every other line has none."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from sched_cli.check import Finding, check
from sched_cli.check.rules import RULES
from sched_cli.check.sources import find_sources

_EXPECTED = re.compile(r"#! ((?:SCH\d+ ?)+)$")
_HEAD = "from sched_sdk import WorkflowContext, activity, workflow\n"


def found_in(folder: Path, given: str = "app.py", **files: str) -> list[Finding]:
    """Write the files (`shop__flows` is shop/flows.py) and check one of them."""
    for name, text in files.items():
        path = folder / _file(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
    return list(check(find_sources([str(folder / given)]), RULES).findings)


def _file(name: str) -> str:
    return name.replace("__", "/").replace("/init/", "__init__") + ".py"


def judge(folder: Path, given: str = "app.py", **files: str) -> list[Finding]:
    """Check the files, and compare what is found with what they say."""
    texts = {name: _HEAD + textwrap.dedent(text) for name, text in files.items()}
    findings = found_in(folder, given, **texts)
    said = sorted(
        (_file(name), number, rule)
        for name, text in texts.items()
        for number, line in enumerate(text.splitlines(), start=1)
        for said_there in _EXPECTED.findall(line)
        for rule in said_there.split()
    )
    real = sorted(
        (Path(finding.path).relative_to(folder).as_posix(), finding.line, finding.rule.id)
        for finding in findings
    )
    assert real == said, "\n".join(f"{f.line}: {f.rule.id} {f.message}" for f in findings)
    return findings


def in_workflow(body: str, head: str = "") -> str:
    """A workflow `flow` with this body, below some code at module level."""
    return (
        textwrap.dedent(head)
        + "\n@workflow\nasync def flow(ctx: WorkflowContext, names: list[str]) -> None:\n"
        + textwrap.indent(textwrap.dedent(body).strip("\n"), "    ")
        + "\n"
    )
