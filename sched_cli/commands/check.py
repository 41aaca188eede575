"""`sched check`: find in the source what would break workflows in replay."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from sched_cli.parser import examples


class CheckOutput(StrEnum):
    """How findings are shown."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    SARIF = "sarif"


@examples(
    "sched check app.py",
    "sched check . --select SCH1,SCH201",
    "sched check app.py --output sarif > sched.sarif",
)
def check(
    targets: Annotated[
        list[str],
        typer.Argument(metavar="APP", help="A file, a folder, a module or package, or several."),
    ],
    select: Annotated[
        list[str] | None,
        typer.Option(
            "--select",
            metavar="RULE",
            envvar="SCHED_CHECK_SELECT",
            show_default=False,
            help="Only these rules, or groups of them (SCH1); repeatable, or with commas.",
        ),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            "--ignore",
            metavar="RULE",
            envvar="SCHED_CHECK_IGNORE",
            show_default=False,
            help="Without these rules, or groups of them.",
        ),
    ] = None,
    output: Annotated[
        CheckOutput,
        typer.Option("--output", "-o", envvar="SCHED_CHECK_OUTPUT", help="How to show it."),
    ] = CheckOutput.TABLE,
) -> None:
    """Find in the source what would break workflows in replay.

    It imports nothing of the app. Exit code 0 if there is nothing, 1 if there is
    something, 2 if a file cannot be read or parsed.
    """
    from sched_cli.check import check as check_files
    from sched_cli.check.selection import chosen_rules
    from sched_cli.check.sources import find_sources
    from sched_cli.errors import EXIT_FAILED

    rules = chosen_rules(select or (), ignore or ())
    result = check_files(find_sources(targets), rules)
    if output is CheckOutput.TABLE:
        from sched_cli.check.output.text import print_findings

        print_findings(result)
    else:
        from sched_cli.check.output.json import as_json, finding_as_json
        from sched_cli.check.output.sarif import as_sarif
        from sched_cli.render import plain

        if output is CheckOutput.JSONL:
            for finding in result.findings:
                plain.print_json_line(finding_as_json(finding))
        else:
            plain.print_json(as_json(result) if output is CheckOutput.JSON else as_sarif(result))
    if result.findings:
        raise typer.Exit(EXIT_FAILED)
