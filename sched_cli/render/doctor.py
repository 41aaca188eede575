"""What `sched doctor` found, on a terminal and as JSON."""

from __future__ import annotations

from collections import Counter
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from sched_cli.doctor.findings import Level, verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console
    from rich.text import Text

    from sched_cli.doctor.findings import Finding

_SYMBOLS = {
    Level.OK: ("✓", "green"),
    Level.WARN: ("!", "bold yellow"),
    Level.FAIL: ("✗", "bold red"),
}
_NARROWEST = 20
_TITLES = {
    "here": "This machine",
    "engine": "Engines",
    "workers": "Workers",
    "workflows": "Workflows",
    "postgres": "Postgres",
    "redis": "Redis",
}


def print_findings(console: Console, findings: Sequence[Finding]) -> None:
    """Section by section, with the remedy below what needs one, and a count."""
    from rich.text import Text

    section = ""
    for finding in findings:
        of = finding.check.partition(".")[0]
        if of != section:
            if section:
                console.print()
            console.print(Text(_TITLES[of], style="bold"))
            section = of
        for line in _lines(finding, console.width):
            console.print(line, soft_wrap=True)
    console.print()
    console.print(Text(_count(findings), style=_SYMBOLS[verdict(findings)][1]))


def _lines(finding: Finding, width: int) -> Iterator[Text]:
    """Text that is longer than the terminal is wide goes on below itself."""
    from rich.text import Text

    symbol, style = _SYMBOLS[finding.level]
    parts = [(f"  {symbol} ", finding.message)]
    if finding.remedy:
        parts.append(("    → ", finding.remedy))
    for sign, words in parts:
        for number, line in enumerate(wrap(words, max(width - len(sign), _NARROWEST))):
            margin = " " * len(sign) if number else sign
            yield Text.assemble((margin, style), line)


def _count(findings: Sequence[Finding]) -> str:
    levels = Counter(finding.level for finding in findings)
    failures, warnings = levels[Level.FAIL], levels[Level.WARN]
    if not failures and not warnings:
        return "All is well."
    told = [
        f"{number} {word}{'' if number == 1 else 's'}"
        for number, word in ((failures, "failure"), (warnings, "warning"))
        if number
    ]
    return f"{', '.join(told)}."


def as_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """The whole, for `--output json`."""
    return {
        "verdict": verdict(findings).value,
        "findings": [finding_as_json(finding) for finding in findings],
    }


def finding_as_json(finding: Finding) -> dict[str, Any]:
    """One of them, for `--output jsonl`."""
    return {
        "check": finding.check,
        "level": finding.level.value,
        "message": finding.message,
        "remedy": finding.remedy,
    }
