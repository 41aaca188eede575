"""Actions on one run: reset, fork, query, capture."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sched_cli.tui.browser.messages import RunOpened
from sched_cli.tui.browser.model.run_list import RunKey
from sched_cli.tui.browser.screens.actions import inputs_of, inputs_problem
from sched_cli.tui.browser.screens.dialog import Answers, Dialog, Field

if TYPE_CHECKING:
    from collections.abc import Callable

    from sched_cli.tui.browser.screens.workflow import WorkflowScreen
    from sched_sdk._client import Client

__all__ = ["QUERY_S", "ask_capture", "ask_copy", "ask_query"]

QUERY_S = 35.0
"""The engine gives up after about 30, and says why."""

_EXPLANATIONS = {
    "reset": (
        "End this run, and begin a new one with its history up to an earlier event. A run that "
        "has ended stays as it is."
    ),
    "fork": (
        "Begin a new workflow with the history of this one up to an earlier event. This one goes "
        "on as it is."
    ),
}


def ask_copy(screen: WorkflowScreen, how: str, event_id: int | None) -> None:
    """Reset or fork; `event_id` is proposed."""
    fields = [
        Field(
            "to",
            "Keep its history up to event: a number, first or last",
            str(event_id) if event_id is not None else "last",
            needed=True,
        ),
        *(
            [Field("id", "Id of the new workflow", hint="made by the engine")]
            if how == "fork"
            else []
        ),
        Field("reason", "Reason, for the history"),
    ]
    dialog = Dialog(
        how.capitalize(),
        _EXPLANATIONS[how],
        do=how.capitalize(),
        fields=fields,
        destroys=how == "reset",
        check=lambda answers: _point_problem(answers["to"]),
    )

    def answered(answers: Answers | None) -> None:
        if answers is not None:
            screen.run_worker(_copy(screen, how, answers), group="act")

    screen.app.push_screen(dialog, answered)


async def _copy(screen: WorkflowScreen, how: str, answers: Answers) -> None:
    to, reason = _point(answers["to"]), answers["reason"]

    async def copy(client: Client) -> RunKey:
        handle = screen.handle_of(client)
        if how == "fork":
            made = await handle.fork(to, id=answers["id"].strip() or None, reason=reason)
        else:
            made = await handle.reset(to, reason=reason)
        return RunKey(made.id, made.run_id)

    made = await screen.link.ask(copy)
    did = "Forked" if how == "fork" else "Reset"
    screen.notify(
        f"{did} {screen.key.workflow_id}; this is run {made.run_id} of {made.workflow_id}."
    )
    screen.post_message(RunOpened(made))


def ask_query(
    screen: WorkflowScreen, query: dict[str, Any], show: Callable[[str, object], None]
) -> None:
    """Call a query; its parameters are asked for first."""
    name = str(query["name"])
    parameters = query["parameters"]

    def call(answers: Answers | None) -> None:
        if answers is None:
            return
        arguments: list[object] = []
        for number, _ in enumerate(parameters):
            given = inputs_of(answers[str(number)])
            if not given:
                break  # the rest has defaults
            arguments += given

        async def ask() -> None:
            answer = await screen.link.ask(
                lambda client: screen.handle_of(client).query(name, *arguments), timeout=QUERY_S
            )
            show(name, answer)

        screen.run_worker(ask(), group="act")

    if not parameters:
        call({})
        return
    fields = [
        Field(
            str(number),
            f"{one['name']}: {one['type']}" + ("" if one["required"] else ", may be left out"),
            needed=one["required"],
        )
        for number, one in enumerate(parameters)
    ]
    dialog = Dialog(
        f"Query {name}",
        query["doc"] or "Each value is JSON, or plain text.",
        do="Ask",
        fields=fields,
        check=lambda answers: next(filter(None, map(inputs_problem, answers.values())), ""),
    )
    screen.app.push_screen(dialog, call)


def ask_capture(screen: WorkflowScreen) -> None:
    """Write the history to a file."""
    dialog = Dialog(
        "Capture",
        "Write the history of this run to a file that sched replay reads.",
        do="Write",
        fields=[
            Field("path", "File", f"{screen.key.workflow_id.replace('/', '-')}.json", needed=True)
        ],
        check=lambda answers: _path_problem(answers["path"]),
    )

    def answered(answers: Answers | None) -> None:
        if answers is not None:
            screen.run_worker(_capture(screen, Path(answers["path"]).expanduser()), group="act")

    screen.app.push_screen(dialog, answered)


async def _capture(screen: WorkflowScreen, path: Path) -> None:
    from sched_cli.histories import read_history
    from sched_sdk._capture import dump_capture

    captured = await screen.link.ask(lambda client: read_history(client, *screen.key), timeout=None)
    try:
        await asyncio.to_thread(path.write_text, dump_capture(captured), encoding="utf-8")
    except OSError as error:
        screen.notify(f"{path} cannot be written: {error.strerror}.", severity="error")
        return
    screen.notify(f"Wrote {len(captured.events)} events. Run them: sched replay {path}")


def _point(text: str) -> int | Literal["first", "last"]:
    word = text.strip().lower()
    if word == "first":
        return "first"
    return "last" if word == "last" else int(word)


def _point_problem(text: str) -> str:
    try:
        point = _point(text)
    except ValueError:
        return f"{text!r} is no event: give its number, first or last."
    return "Events begin with 1." if isinstance(point, int) and point < 1 else ""


def _path_problem(text: str) -> str:
    path = Path(text).expanduser()
    if path.exists():
        return f"{path} is there already: choose another name."
    return "" if path.absolute().parent.is_dir() else f"There is no folder {path.parent}."
