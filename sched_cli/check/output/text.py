"""Findings for people.

app.py:12:15: SCH101 time.time() reads the clock, which shows another time in replay. Use ctx.now().
        started = time.time()
                  ^^^^^^^^^^^
    in workflow order, called from order (app.py:30)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

    from sched_cli.check.checker import Result
    from sched_cli.check.findings import Finding

_INDENT = "    "


def print_findings(result: Result) -> None:
    """Every finding on stdout; what was looked at on stderr."""
    from sched_cli.render import console

    for finding in result.findings:
        console.data().print(_finding(finding), soft_wrap=True)
    console.hint(_summary(result))


def _finding(finding: Finding) -> Text:
    from rich.text import Text

    place = f"{finding.path}:{finding.line}:{finding.column}:"
    text = Text.assemble(
        (place, "bold"), " ", (finding.rule.id, "red"), f" {finding.message}. {finding.instead}"
    )
    text.append(f"\n{_source(finding)}", "dim")
    if finding.calls:
        way = ", ".join(
            f"{call.function} ({call.path}:{call.line})" for call in reversed(finding.calls)
        )
        text.append(f"\n{_INDENT}in workflow {finding.declaration}, called from {way}", "dim")
    return text


def _source(finding: Finding) -> str:
    source = finding.source.expandtabs(1)
    indentation = len(source) - len(source.lstrip())
    end = finding.end_column - 1 if finding.end_line == finding.line else len(source.rstrip())
    start = finding.column - 1
    marks = " " * (start - indentation) + "^" * max(end - start, 1)
    return f"{_INDENT}{source.strip()}\n{_INDENT}{marks}"


def _summary(result: Result) -> str:
    looked_at = f"{_count(result.files, 'file')}, {_count(result.workflows, 'workflow')}"
    if not result.findings:
        if not result.workflows:
            return f"There is no workflow in {_count(result.files, 'file')}: nothing to judge."
        return f"Nothing found ({looked_at})."
    in_files = len({finding.path for finding in result.findings})
    return (
        f"{_count(len(result.findings), 'finding')} in {_count(in_files, 'file')} ({looked_at}). "
        f"A comment `# sched: ignore[RULE]` on the line says that one is meant."
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
