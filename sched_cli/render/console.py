"""Where output goes: data to stdout, everything said to people to stderr.

Colours stop where the stream is no terminal or NO_COLOR is set, which rich sees
to. Rich is imported with the first line that needs it.
"""

from __future__ import annotations

import functools
import os
import sys
from typing import TYPE_CHECKING

from sched_cli.global_options import is_set
from sched_cli.secrets import redact

if TYPE_CHECKING:
    from rich.console import Console

# Tables in a pipe are for programs and pagers: no line is cut there.
_PIPE_WIDTH = 10_000
_LABEL_WIDTH = 8
_URGENT = ("yellow", "red")


@functools.cache
def data() -> Console:
    """stdout: what the command was asked for."""
    return _console(stderr=False)


@functools.cache
def messages() -> Console:
    """stderr: progress, hints, errors."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    class OurConsole(Console):
        def on_broken_pipe(self) -> None:
            """As every other write: rich would end the program as one that failed."""
            raise BrokenPipeError

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH
    return OurConsole(stderr=stderr, width=width, highlight=False, emoji=False, soft_wrap=False)


def is_quiet() -> bool:
    """Whether only data, warnings and errors are wanted."""
    return is_set("SCHED_QUIET")


def say(text: str) -> None:
    """One message for people, on stderr; not with --quiet."""
    if is_quiet():
        return
    from rich.text import Text

    messages().print(Text(text), soft_wrap=True)


def hint(text: str) -> None:
    """A message of less weight, on stderr; not with --quiet."""
    if is_quiet():
        return
    from rich.text import Text

    messages().print(Text(text, style="dim"), soft_wrap=True)


def labelled(label: str, text: str, style: str = "") -> None:
    """A message on stderr that begins with a word in a column of its own. With --quiet
    only what is in the colour of a warning or of an error."""
    if is_quiet() and style not in _URGENT:
        return
    from rich.text import Text

    first, *rest = text.splitlines() or [""]
    lines = Text.assemble((f"{label:<{_LABEL_WIDTH}}", style), first)
    for line in rest:
        lines.append(f"\n{'':<{_LABEL_WIDTH}}{line}")
    messages().print(lines, soft_wrap=True)


def print_warning(text: str) -> None:
    """What is not as it should be but does not stop anything, on stderr."""
    from rich.text import Text

    messages().print(Text.assemble(("warning: ", "yellow"), text), soft_wrap=True)


def print_error(text: str) -> None:
    """What went wrong, on stderr. Needs no rich where there are no colours."""
    text = redact(text)  # it may repeat what was typed
    if not sys.stderr.isatty() or "NO_COLOR" in os.environ:
        sys.stderr.write(f"error: {text}\n")
        return
    from rich.text import Text

    messages().print(Text.assemble(("error: ", "bold red"), text), soft_wrap=True)
