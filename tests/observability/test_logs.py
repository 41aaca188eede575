"""What is logged: readable by machines, about something, and without secrets."""

from __future__ import annotations

import io
import json
import logging
import sys
from typing import TYPE_CHECKING, Any

import pytest

from sched_cli import logs
from sched_cli.secrets import redact
from sched_sdk import Client, Worker, WorkflowContext, activity, activity_context, workflow
from sched_server.store.port import StoreUnavailableError
from tests.docs.markdown import ROOT, table_below, titled
from tests.worker.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE = ROOT / "docs" / "observability.md"
FIELDS = {"time", "level", "component", "logger", "message"}


@pytest.fixture
def set_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], io.StringIO]]:
    """Logging as `sched` sets it up, into the buffer that this returns."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level

    def start(form: str) -> io.StringIO:
        stream = io.StringIO()
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setenv("SCHED_LOG_FORMAT", form)
        monkeypatch.setenv("SCHED_LOG_LEVEL", "info")
        root.handlers = []
        logs.set_up(default_level="warning")
        return stream

    yield start
    root.handlers = handlers
    root.setLevel(level)


def records(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@activity
async def greet(name: str) -> str:
    activity_context().logger.info("greeting", extra={"letters": len(name), "tags": ["a"]})
    return "Hello, secret-result!"


@workflow(name="Greets")
async def greets(ctx: WorkflowContext, name: str) -> str:
    ctx.logger.info("begins")
    return await ctx.queue_activity(greet, name)


@workflow(name="Waits")
async def waits(ctx: WorkflowContext) -> None:
    await ctx.sleep(0.01)
    await ctx.wait_for_signal("go")


@workflow(name="Waits")
async def edited(ctx: WorkflowContext) -> None:
    await ctx.wait_for_signal("go")


async def test_the_logs_of_user_code_say_where_they_come_from(
    client: Client, set_up: Callable[[str], io.StringIO]
) -> None:
    stream = set_up("json")
    async with Worker(client, workflows=[greets], activities=[greet]):
        handle = await client.start_workflow(greets, "secret-argument", id="g-1")
        await handle.result()
    assert "secret" not in stream.getvalue(), "neither arguments nor results are logged"
    by_component = {record["component"]: record for record in records(stream)}
    about = {"workflow_id": "g-1", "run_id": handle.run_id, "workflow_name": "Greets"}
    of_workflow = by_component["workflow"]
    assert of_workflow.items() >= {**about, "level": "info", "message": "[g-1] begins"}.items()
    of_activity = by_component["activity"]
    assert {**about, "activity_name": "greet", "attempt": 1}.items() <= of_activity.items()
    assert (of_activity["letters"], of_activity["tags"]) == (15, "['a']")
    assert {"engine", "worker"} <= set(by_component), "and of what is around it"
    for record in records(stream):
        assert set(record) >= FIELDS


async def test_a_stuck_workflow_is_named_by_engine_and_worker(
    client: Client, set_up: Callable[[str], io.StringIO]
) -> None:
    stream = set_up("json")
    async with Worker(client, workflows=[waits]):
        handle = await client.start_workflow(waits, id="w-1")
        async for event in handle.history(follow=True):
            if event.type == "TimerFired":
                break
        await handle.signal("go")
        await handle.result()
        handle = await client.start_workflow(waits, id="w-2")
        async for event in handle.history(follow=True):
            if event.type == "TimerFired":
                break
    async with Worker(client, workflows=[edited]):
        await handle.signal("go")
        await until(lambda: sum("w-2" in line for line in stream.getvalue().splitlines()) >= 2)
    found = [record for record in records(stream) if record.get("workflow_id") == "w-2"]
    assert {record["component"] for record in found} == {"engine", "worker"}
    for record in found:
        assert (record["run_id"], record["workflow_name"]) == (handle.run_id, "Waits")
    of_engine = next(record for record in found if record["component"] == "engine")
    assert of_engine["attempt"] >= 1
    told = json.loads(titled(PAGE, "log").text)
    assert list(told) == list(of_engine), "the page shows such a record"


def test_an_exception_is_a_field(set_up: Callable[[str], io.StringIO]) -> None:
    stream = set_up("json")
    try:
        raise StoreUnavailableError("postgres://ops:hunter2@db/x does not answer")
    except StoreUnavailableError:
        logging.getLogger("sched.store").exception("no commit")
    [record] = records(stream)
    assert record["exception"].startswith("Traceback")
    assert "postgres://ops:***@db/x does not answer" in record["exception"]
    assert "hunter2" not in stream.getvalue()


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("postgresql://ops:hunter2@db:5432/x?a=b", "postgresql://ops:***@db:5432/x?a=b"),
        ("redis://:hunter2@cache:6379/0", "redis://:***@cache:6379/0"),
        ("rediss://u:a:b@c@cache", "rediss://u:***@cache"),
        ("host=db password=hunter2 user=ops", "host=db password=*** user=ops"),
        (r"host=db password = 'it\'s' user=ops", "host=db password = *** user=ops"),
        ("postgres://db/x?password=hunter2&user=ops", "postgres://db/x?password=***&user=ops"),
        ("http://127.0.0.1:9090/metrics", "http://127.0.0.1:9090/metrics"),
        ("mail ops@example.com: 3 tries", "mail ops@example.com: 3 tries"),
    ],
)
def test_passwords_are_struck_out(
    text: str, redacted: str, set_up: Callable[[str], io.StringIO]
) -> None:
    assert redact(text) == redacted
    for form in ("text", "json"):
        stream = set_up(form)
        logging.getLogger("sched.store").warning("lost %s", text, extra={"address": text})
        assert "hunter2" not in stream.getvalue()
        assert redacted in stream.getvalue()


@pytest.mark.parametrize(
    ("logger", "component"),
    [("sched.engine", "engine"), ("sched.store.pool", "store"), ("sched", "app"), ("shop", "app")],
)
def test_the_component(logger: str, component: str, set_up: Callable[[str], io.StringIO]) -> None:
    stream = set_up("json")
    logging.getLogger(logger).warning("so it is")
    assert records(stream)[0]["component"] == component


def test_text_is_for_people(set_up: Callable[[str], io.StringIO]) -> None:
    stream = set_up("text")
    logging.getLogger("sched.worker").warning("lost %s", "it", extra={"workflow_id": "w"})
    assert stream.getvalue().endswith(" warning  sched.worker  lost it\n")


def test_the_table_of_fields() -> None:
    told = {name for row in table_below(PAGE, "Logs") for name in row[0].split("`")[1::2]}
    about = {"workflow_id", "run_id", "workflow_name", "activity_name", "attempt"}
    assert told == FIELDS | about | {"exception"}


def test_every_logger_of_ours_has_a_component_of_the_table() -> None:
    [row] = [row for row in table_below(PAGE, "Logs") if row[0] == "`component`"]
    told = set(row[1].split("`")[1::2]) - {"app"}
    used = {
        line.split('getLogger("sched.')[1].split('"')[0]
        for package in ("sched_sdk", "sched_server")
        for path in (ROOT / package).rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if 'getLogger("sched.' in line
    }
    assert used <= told
