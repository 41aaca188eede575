"""The demo's story.

    make a project, start an engine and a worker, run HelloWorld
    start MonthlyReport: three emails, two seconds apart
      after the second email    kill -9 the worker, start another
      while it sleeps           kill -9 the engine, start it again
    the report completes; show that no email was sent twice

Everything is real: the commands are the ones that people type, the processes
are separate, the kills are SIGKILL. The demo watches through the public client.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from sched_cli.demo.parts import DemoError, Part, free_port, run_sched
from sched_cli.demo.view import View
from sched_cli.render.events import EventLines

if TYPE_CHECKING:
    from sched_sdk import Client, WorkflowHandle
    from sched_sdk._client.models import Event

_LONGEST_S = 40.0
_EMAILS = 3
# The engine dies while the workflow sleeps, away from the worker's death.
_ENGINE_DIES_AFTER_S = 0.7
_GREETING = "Hello, world!"
_RESULT = "report complete"


async def tell() -> None:
    """Run the whole demo. Raises DemoError when anything is not as expected."""
    with tempfile.TemporaryDirectory(prefix="sched-demo-") as folder:
        story = Story(Path(folder))
        try:
            async with asyncio.timeout(_LONGEST_S):
                with story.view:
                    await story.tell()
        except TimeoutError:
            raise DemoError(f"The demo did not end within {_LONGEST_S:g} s.") from None
        finally:
            story.clean_up()


class Story:
    """The parts, and what happens to them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._project = folder / "my-app"
        self._address = f"127.0.0.1:{free_port()}"
        port = self._address.rpartition(":")[2]
        self._engine = Part("engine", ["dev", "--port", port], self._project)
        self._worker = Part(
            "worker", ["worker", "app.py", "--engine", self._address], self._project
        )
        self.view = View([self._engine, self._worker])
        self._started = time.monotonic()

    async def tell(self) -> None:
        """Everything, in order."""
        self.view.chapter("A project, an engine, a worker: three commands")
        run_sched(["init", "my-app"], self._folder)
        self.view.command("sched init my-app")
        await self._start_engine()
        await self._start_worker()
        self._run_hello()
        from sched_sdk import Client

        async with await Client.connect(self._address) as client:
            events = await self._run_report(client)
        self._prove(events)

    def clean_up(self) -> None:
        """End every process."""
        self._worker.kill()
        self._engine.kill()

    async def _start_engine(self) -> None:
        self._engine.start()
        await self._engine.until_log_says("engine  ")
        self.view.command("sched dev", self._engine.pid)

    async def _start_worker(self) -> None:
        self._worker.start()
        await self._worker.until_log_says("serves workflow")
        self.view.command("sched worker app.py", self._worker.pid)

    def _run_hello(self) -> None:
        arguments = ["workflow", "start", "HelloWorld", "--input", "world", "--wait"]
        self.view.command(f"sched {' '.join(arguments)}")
        greeting = run_sched([*arguments, "--engine", self._address], self._project).strip()
        self.view.output(greeting)
        if greeting != _GREETING:
            raise DemoError(f"HelloWorld returned {greeting!r}, not {_GREETING!r}.")

    async def _run_report(self, client: Client) -> list[Event]:
        self.view.chapter("Three emails, two seconds apart, while things are killed")
        handle = await client.start_workflow("MonthlyReport", "2026-11", id="report-2026-11")
        self.view.command("sched workflow start MonthlyReport --input 2026-11 --follow")
        events: list[Event] = []
        troubles: asyncio.Task[None] | None = None
        lines = EventLines()
        self.view.line(lines.header())
        async for event in handle.history(follow=True):
            events.append(event)
            self.view.line(lines.line(event))
            # The sleep behind the second email has begun: nothing is under way.
            if troubles is None and _count(events, "TimerScheduled") == _EMAILS - 1:
                troubles = asyncio.create_task(self._make_trouble())
        if troubles is None:
            raise DemoError("The workflow ended before its second email was sent.")
        await troubles
        await self._check_result(handle)
        return events

    async def _make_trouble(self) -> None:
        pid = self._worker.pid
        self._worker.kill()
        self.view.blow(f"kill -9 {pid}   the worker is dead, and with it the running function")
        await self._restart(self._worker, "serves workflow", "another worker")
        await asyncio.sleep(_ENGINE_DIES_AFTER_S)
        pid = self._engine.pid
        self._engine.kill()
        self.view.blow(f"kill -9 {pid}   the engine is dead, in the middle of a sleep")
        await self._restart(self._engine, "engine  ", "the engine, on the same files,")

    async def _restart(self, part: Part, sign_of_life: str, what: str) -> None:
        part.start()
        await part.until_log_says(sign_of_life)
        self.view.recovery(f"{what} runs   (process {part.pid})")

    async def _check_result(self, handle: WorkflowHandle[str]) -> None:
        result = await handle.result()
        self.view.output(result)
        if result != _RESULT:
            raise DemoError(f"MonthlyReport returned {result!r}, not {_RESULT!r}.")

    def _prove(self, events: list[Event]) -> None:
        self.view.chapter("What the crashes cost")
        sent = Counter((self._project / "outbox.txt").read_text().splitlines())
        for email, times in sorted(sent.items()):
            self.view.proof(f"{email}: sent {'once' if times == 1 else f'{times} times'}")
        if len(sent) != _EMAILS or set(sent.values()) != {1}:
            raise DemoError(f"{_EMAILS} emails should have been sent once each: {dict(sent)}")
        ids = [event.event_id for event in events]
        if ids != list(range(1, len(ids) + 1)):
            raise DemoError(f"The history has gaps or repetitions: {ids}")
        workers = {
            event.attributes["identity"]
            for event in events
            if event.type == "WorkflowTaskCompleted"
        }
        self.view.proof(
            f"{len(ids)} events, none lost, none repeated, written by {len(workers)} workers"
        )
        self.view.proof(f"done in {time.monotonic() - self._started:.1f} s")


def _count(events: list[Event], event_type: str) -> int:
    return sum(event.type == event_type for event in events)
