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
from sched_cli.parser import add, noun


def build_commands() -> typer.Typer:
    """The commands of the noun."""
    app = noun("Start workflows, look at them, signal and stop them.")
    add(app, "start", starting.start)
    add(app, "result", following.result)
    add(app, "list", reading.list_workflows)
    add(app, "count", reading.count)
    add(app, "show", showing.show)
    add(app, "history", following.history)
    add(app, "query", asking.query)
    add(app, "stack", asking.stack)
    add(app, "signal", changing.signal)
    add(app, "cancel", changing.cancel)
    add(app, "terminate", changing.terminate)
    add(app, "reset", copying.reset)
    add(app, "fork", copying.fork)
    return app
