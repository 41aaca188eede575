"""`sched workflow …`: start workflows, look at them, change them."""

from __future__ import annotations

import typer

from sched_cli.commands.workflow import (
    asking,
    changing,
    copying,
    following,
    reading,
    showing,
    starting,
)


def build_commands() -> typer.Typer:
    """The commands of the noun."""
    app = typer.Typer(
        help="Start workflows, look at them, signal and stop them.",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.command("start")(starting.start)
    app.command("result")(following.result)
    app.command("list")(reading.list_workflows)
    app.command("count")(reading.count)
    app.command("show")(showing.show)
    app.command("history")(following.history)
    app.command("query")(asking.query)
    app.command("stack")(asking.stack)
    app.command("signal")(changing.signal)
    app.command("cancel")(changing.cancel)
    app.command("terminate")(changing.terminate)
    app.command("reset")(copying.reset)
    app.command("fork")(copying.fork)
    return app
