"""The group of all commands, as the parser sees it."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from sched_cli.secrets import redact

# Not exported under a name of its own.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]


class Commands(TyperGroup):
    """What the parser does not understand, it repeats: a DSN in a wrong place too."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except _UsageError as error:
            error.message = redact(error.message)  # type: ignore[attr-defined]  # of every one
            raise
