"""`sched capture`: the history of a workflow as a file that can be replayed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sched_cli.options import DEFAULT_ENGINE, EngineOption, RunIdOption, WorkflowIdArgument
from sched_cli.parser import examples

if TYPE_CHECKING:
    from sched_sdk._capture import CapturedHistory


@examples(
    "sched capture order-7 --output order-7.json",
    "sched capture order-7 --redact input[0] --redact '/[0-9]{16}/'",
    "sched capture order-7 > order-7.json",
)
def capture(
    workflow_id: WorkflowIdArgument,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            envvar="SCHED_CAPTURE_FILE",
            help="Where to write it; stdout by default.",
        ),
    ] = None,
    run_id: RunIdOption = "",
    redactions: Annotated[
        list[str] | None,
        typer.Option(
            "--redact",
            metavar="PATH|/REGEX/",
            envvar="SCHED_REDACT",
            help="Replace these values: password, input[0].card.number, /[0-9]{16}/; repeatable.",
        ),
    ] = None,
    engine: EngineOption = DEFAULT_ENGINE,
) -> None:
    """Write the history of a workflow as JSON that sched replay reads."""
    from sched_cli.errors import UsageError
    from sched_cli.histories import fetch_history
    from sched_cli.render import console
    from sched_sdk._capture import Redaction, dump_capture, redact

    if output is not None and output.name in ("table", "json", "jsonl"):
        # As of other commands; nobody wants a file of that name.
        raise UsageError(
            f"--output of capture names a file, and what is written is JSON in any case. "
            f"Write --output {workflow_id}.json, or leave it out for stdout."
        )
    wanted = [Redaction.parse(text) for text in redactions or ()]
    captured, counts = redact(fetch_history(engine, workflow_id, run_id), wanted)
    text = dump_capture(captured)
    if output is None or str(output) == "-":
        typer.echo(text, nl=False)
    else:
        _write(output, text)
        console.say(f"{_summary(captured)} in {output}. Run it: sched replay {output}")
    for redaction, count in counts.items():
        if count == 0:
            console.print_warning(f"--redact {redaction} found nothing in this history.")


def _write(path: Path, text: str) -> None:
    from sched_cli.errors import UsageError

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from error


def _summary(captured: CapturedHistory) -> str:
    values = sum(map(len, captured.redacted.values()))
    redacted = f", {values} {'value' if values == 1 else 'values'} redacted" if values else ""
    return f"{captured.workflow_id}: {len(captured.events)} events{redacted}"
