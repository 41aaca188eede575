"""`sched version`."""

from __future__ import annotations

import sys

from sched_cli.options import OutputFormat, OutputOption
from sched_cli.parser import examples


@examples(
    "sched version",
    "sched version --output json",
)
def version(output: OutputOption = OutputFormat.TABLE) -> None:
    """Show the versions of sched and of Python."""
    import platform
    from importlib.metadata import version as installed_version

    from sched_cli.render import plain

    told = {
        "sched": installed_version("sched-engine"),
        "python": platform.python_version(),
        "output": plain.SHAPE_VERSION,
    }
    if output is OutputFormat.JSON:
        plain.print_json(told)
    elif output is OutputFormat.JSONL:
        plain.print_json_line(told)
    else:
        sys.stdout.write(f"sched {told['sched']} (Python {told['python']})\n")
