"""Options that go around the parser's check mean what they meant."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from sched_cli.errors import EXIT_USAGE, UsageError
from sched_cli.parser import Commands


class Shade(StrEnum):
    DARK = "dark"
    LIGHT = "light"


def outcome(*arguments: str, quick: bool) -> tuple[bool, list[Any]]:
    """Whether the line was understood, and what the command was given."""
    given: list[Any] = []
    app = typer.Typer(**({"cls": Commands} if quick else {}), rich_markup_mode=None)

    @app.command()
    def paint(
        name: str,
        shade: Annotated[Shade, typer.Option()] = Shade.DARK,
        count: Annotated[int, typer.Option(min=1, max=9)] = 3,
        words: Annotated[list[str] | None, typer.Option("--word")] = None,
        file: Annotated[Path | None, typer.Option()] = None,
        ratio: float = 0.5,
    ) -> None:
        given.extend([name, shade, count, words, file, ratio])

    @app.command()
    def other() -> None:
        """A second one makes it a group."""

    done = CliRunner().invoke(app, ["paint", *arguments])
    # One says so itself, the other leaves it to whoever runs it.
    refused = isinstance(done.exception, UsageError) or done.exit_code == EXIT_USAGE
    assert refused or done.exit_code == 0, done.output
    return not refused, given


@pytest.mark.parametrize(
    "arguments",
    [
        ["x"],
        ["x", "--shade", "light"],
        ["x", "--shade", "grey"],
        ["x", "--count", "7"],
        ["x", "--count", "10"],
        ["x", "--count", "many"],
        ["x", "--word", "a", "--word", "b"],
        ["x", "--file", "a/b", "--ratio", "2"],
        [],
    ],
    ids=" ".join,
)
def test_quick_and_checked_are_the_same(arguments: list[str]) -> None:
    assert outcome(*arguments, quick=True) == outcome(*arguments, quick=False)
