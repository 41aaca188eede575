"""Exceptions that come from another process, with their causes and tracebacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.text import Text

_MAXIMUM_CAUSES = 10


def failure_lines(error: BaseException) -> list[Text]:
    """The whole chain: each failure, and where it was raised."""
    from rich.text import Text

    lines: list[Text] = []
    for position, failure in enumerate(_chain(error)):
        label = "Failure" if position == 0 else "caused by"
        lines.append(Text.assemble((f"{label:<12}", "dim"), (_title(failure), "red")))
        traceback = str(getattr(failure, "remote_traceback", "")).rstrip()
        lines += [Text(f"    {line}", style="dim") for line in traceback.splitlines()]
    return lines


def _chain(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    for _ in range(_MAXIMUM_CAUSES):
        if current is None:
            return
        yield current
        current = current.__cause__


def _title(error: BaseException) -> str:
    kind = getattr(error, "type", "") or type(error).__name__
    message = getattr(error, "message", str(error))
    return f"{kind}: {message}" if message else kind
