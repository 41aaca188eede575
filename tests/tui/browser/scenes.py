"""Every screen and dialog of the browser, and how to come there.

    python -m tests.tui.browser.scenes FOLDER [NAME ...]     draws them, to be looked at

Each is drawn on a narrow and a wide terminal, in dark and in light, as SVG.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sched_cli.tui.browser.app import Browser
from sched_cli.tui.browser.screens.cluster import ClusterScreen
from sched_cli.tui.browser.screens.workflow import WorkflowScreen
from sched_sdk._client.conversions import event_from_bytes
from tests.tui import shop
from tests.tui.browser import clients
from tests.tui.browser.driving import (
    browsing_recorded,
    picture_of,
    same_everywhere,
    settled,
    shows,
    until,
)
from tests.tui.browser.recording import RecordedClient, recorded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from textual.pilot import Pilot

    from sched_sdk._client import Client

    Reach = Callable[[Pilot[None]], Awaitable[None]]

NARROW, WIDE = (80, 24), (160, 50)
AWAY = "no engine answers at localhost:50051; start one with `sched dev`"


class Scene(NamedTuple):
    """A picture's name, how to come there from the list, and what stands there then."""

    name: str
    reach: Reach
    shown: Sequence[str] = ()


def keys(*pressed: str) -> Reach:
    """These keys lead there."""

    async def press(pilot: Pilot[None]) -> None:
        await pilot.press(*pressed)

    return press


# -- what takes more than keys --------------------------------------------------------------


async def lose_the_engine(pilot: Pilot[None]) -> None:
    app = pilot.app
    assert isinstance(app, Browser)
    now = app.now()

    async def refused() -> Client:
        raise OSError(AWAY)

    app.link._connect = refused
    # Without a connection the clock would go on by itself.
    app.now = lambda: now
    app.link.lose("the connection was closed")
    await shows(pilot, "start one with")


async def watch_the_cluster(pilot: Pilot[None]) -> None:
    """Two minutes of it."""
    await pilot.press("2")
    await shows(pilot, "LEADER")
    screen = pilot.app.screen
    assert isinstance(screen, ClusterScreen)
    client = await screen.link.ask(_itself)
    assert isinstance(client, clients.BusyClient)
    screen.rates.samples.clear()
    for second in range(clients.SECONDS):
        status = await client.status_at(second)
        screen.rates.take(client.time_at(second), status, client.count_at(second))


async def _itself(client: Client) -> Client:
    return client


async def open_run(pilot: Pilot[None]) -> None:
    await pilot.press("enter")
    await until(lambda: isinstance(pilot.app.screen, WorkflowScreen), "the run in front")
    await shows(pilot, "It ", "remind")


async def ask_a_query(pilot: Pilot[None]) -> None:
    await open_run(pilot)
    await pilot.press(*["right"] * 6)
    await shows(pilot, "progress(")
    await pilot.press("enter")


async def read_the_answer(pilot: Pilot[None]) -> None:
    await ask_a_query(pilot)
    await shows(pilot, "scale")
    await pilot.press("enter", "enter")
    await shows(pilot, "done")


def notice(message: str, severity: str) -> Reach:
    async def tell(pilot: Pilot[None]) -> None:
        pilot.app.notify(message, severity=severity, timeout=600)  # type: ignore[arg-type]  # a literal

    return tell


def in_run(*pressed: str, tab: int = 0) -> Reach:
    """These keys on a tab of the newest run, the one that is recorded in full."""

    async def press(pilot: Pilot[None]) -> None:
        await open_run(pilot)
        await pilot.press(*["right"] * tab, *pressed)

    return press


RECORDED = (
    Scene("workflows", keys("down", "space", "down", "space", "up"), ["2 marked", "terminated"]),
    Scene("workflows-none", keys("slash", *"type:Nothing", "enter"), ["No workflow matches"]),
    Scene("workflows-failed", keys("right", "right", "right"), ["2 listed", "It failed"]),
    Scene("filter", keys("slash", *"typ:Order"), ["did you mean"]),
    Scene("filtered", keys("slash", *"type:Order order-", "enter"), ["1 listed", "It waits"]),
    Scene("terminate", keys("space", "space", "x"), ["End 2 runs"]),
    Scene("palette", keys("ctrl+p"), ["Search for", "Mark"]),
    Scene("keys", keys("question_mark"), ["Everywhere"]),
    Scene("warned", notice("There is no workflow to do that to.", "warning"), ["to do that"]),
    Scene("timeline", in_run(), ["retry in"]),
    Scene("timeline-cursor", in_run(*["down"] * 3), ["retry in"]),
    Scene("events", in_run(tab=1), ["event:"]),
    Scene("events-open", in_run("z", *["down"] * 9, tab=1), ["Every event is shown", "name:"]),
    Scene("event-detail", in_run("home", "tab", *["down"] * 3, tab=1), ["event:"]),
    Scene("follow", in_run("f", tab=1), ["Follows", "attempt:"]),
    Scene("values", in_run(tab=2), ["input:"]),
    Scene("pending", in_run(tab=3), ["4 of 8"]),
    Scene("stack", in_run(tab=4), ["waits for activity"]),
    Scene("queries", in_run(tab=6), ["progress("]),
    Scene("query", ask_a_query, ["scale: int"]),
    Scene("answer", read_the_answer, ["done: 2"]),
    Scene("signal", in_run("s", *"approve", "tab", *'{"by": '), ['{"by"']),
    Scene(
        "signal-mistake",
        in_run("s", *"approve", "enter", *'{"by": ', "enter"),
        ["not valid JSON"],
    ),
    Scene("cancel", in_run("c"), ["Cancel it"]),
    Scene("reset", in_run("down", "down", "r", tab=1), ["Keep its history"]),
    Scene("fork", in_run("F"), ["Keep its history"]),
    Scene("capture", in_run("w"), ["that sched replay"]),
    Scene("palette-run", in_run("ctrl+p", *"re"), ["Capture"]),
    Scene("keys-run", in_run("question_mark"), ["for sched replay"]),
    Scene("keys-cluster", keys("2", "question_mark"), ["between queues"]),
    Scene("done", in_run("s", *"approve", *["enter"] * 2), ["Sent signal"]),
    Scene("away", lose_the_engine, ["start one with"]),
)
"""On the recorded engine; what loses it comes last."""

STEPS = (
    Scene("step", keys(), ["event 7 SignalReceived"]),
    Scene("step-keys", keys("question_mark"), ["leave"]),
    Scene("step-event", keys("g", "1"), ["Go to which event?"]),
    Scene("step-zoom", keys("z"), ["app.py:43 · ship_order"]),
    Scene("step-failure", keys("f"), ["ActivityFailed"]),
)
DIVERGENCE = (Scene("step-divergence", keys("end"), ["code does    timer 60 s"]),)


class Place(NamedTuple):
    """An engine, and the scenes to be seen with it."""

    client: Callable[[], RecordedClient]
    scenes: Sequence[Scene]
    source: str = ""
    """The code that is stepped through."""


def _many() -> RecordedClient:
    return clients.with_many_runs(recorded())


PLACES = {
    "recorded": Place(partial(recorded, clients.ObligingClient), RECORDED),
    "long": Place(
        partial(recorded, clients.LongClient),
        (
            Scene("workflows-long", keys("down", "space"), ["1 marked"]),
            Scene("timeline-long", in_run(), ["retry in"]),
            Scene("terminate-long", keys("a", "x", "tab"), ["End 40 runs"]),
        ),
    ),
    "many": Place(_many, (Scene("workflows-many", keys("o", "end"), ["1,000 listed · "]),)),
    "new": Place(
        partial(recorded, clients.NewClient),
        (
            Scene("workflows-new", keys(), ["No workflows yet"]),
            Scene("cluster-new", keys("2"), ["No worker is connected", "LEADER"]),
        ),
    ),
    "failed": Place(
        partial(recorded, clients.FailedClient),
        (
            Scene("timeline-failed", in_run(), ["It failed"]),
            Scene("values-failed", in_run(tab=2), ["failure:"]),
            Scene("stack-failed", in_run(tab=4), ["caused by"]),
            Scene("refused", in_run("s", *"approve", *["enter"] * 2), ["Nothing was done"]),
        ),
    ),
    "completed": Place(
        partial(recorded, clients.ClosedClient),
        (
            Scene("timeline-completed", in_run(), ["remind"]),
            Scene("values-completed", in_run(tab=2), ["result:"]),
        ),
    ),
    "chain": Place(
        partial(recorded, clients.ChainClient), (Scene("runs", in_run(tab=5), ["Continued"]),)
    ),
    "busy": Place(
        partial(recorded, clients.BusyClient), (Scene("cluster", watch_the_cluster, ["0.35 ms"]),)
    ),
    "steps": Place(recorded, STEPS, shop.SOURCE),
    "divergence": Place(
        recorded,
        DIVERGENCE,
        shop.SOURCE.replace(shop.SHIPPING, "    await ctx.sleep(60)\n"),
    ),
}


@contextlib.asynccontextmanager
async def at(
    place: Place, size: tuple[int, int] = NARROW, *, light: bool = False
) -> AsyncIterator[Pilot[None]]:
    """A browser there, with the list in front; or with the step view, over the code."""
    client = place.client()
    with contextlib.ExitStack() as stack:
        if place.source:
            stack.enter_context(shopping(client, place.source))
        async with browsing_recorded(size, client=client, light=light) as pilot:
            yield pilot


async def visit(pilot: Pilot[None], place: Place, scene: Scene) -> None:
    """Come to a scene, from wherever one is."""
    await _go_back(pilot)
    if place.source:
        await pilot.press("enter", "right")
        await shows(pilot, "SignalReceived")
        await pilot.press("z", *["down"] * 6)
        pilot.app.clear_notifications()
        await pilot.press("p")
        await shows(pilot, "event 7 SignalReceived")
    await scene.reach(pilot)
    await shows(pilot, *scene.shown)


async def _go_back(pilot: Pilot[None]) -> None:
    """To the list, as it is at the beginning."""
    app = pilot.app
    app.clear_notifications()
    await app.switch_mode("workflows")
    while len(app.screen_stack) > 1:
        await app.pop_screen()
    await pilot.press("escape", "escape", "home")
    await shows(pilot, " All ")


@contextlib.contextmanager
def shopping(client: RecordedClient, source: str) -> Iterator[None]:
    """The client's newest run is one of the shop, whose code is in the current folder."""
    with shop.somewhere() as folder:
        history = shop.record(shop.define(folder / "recorded")).history
        client._events = [event_from_bytes(event.SerializeToString()) for event in history]
        (folder / "app.py").write_text(source, encoding="utf-8")
        yield


async def _draw(folder: Path, names: Sequence[str]) -> None:
    for size, light in itertools.product((NARROW, WIDE), (False, True)):
        for place in PLACES.values():
            chosen = [scene for scene in place.scenes if not names or scene.name in names]
            if not chosen:
                continue
            async with at(place, size, light=light) as pilot:
                for scene in chosen:
                    await visit(pilot, place, scene)
                    await settled(pilot)
                    path = folder / f"{picture_name(scene, size, light=light)}.svg"
                    path.write_text(picture_of(pilot) + "\n", encoding="utf-8")
                    print(path)


def picture_name(scene: Scene, size: tuple[int, int], *, light: bool) -> str:
    return f"tui-{scene.name}-{'light-' if light else ''}{size[0]}x{size[1]}"


def main() -> None:
    folder, *names = sys.argv[1:]
    Path(folder).mkdir(parents=True, exist_ok=True)
    with same_everywhere():
        asyncio.run(_draw(Path(folder).resolve(), names))


if __name__ == "__main__":
    main()
