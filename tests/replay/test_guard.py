"""What workflow code must not call is refused where it calls it, and nowhere else."""

# ruff: noqa: PLW0108 - a lambda is the place of the call
from __future__ import annotations

import asyncio
import copy
import functools
import io
import logging
import os
import pickle
import random
import secrets
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import traceback
import uuid
import warnings
import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from random import choice
from time import monotonic
from types import ModuleType
from typing import Any
from uuid import uuid4

import pytest

from sched_cli.check.syntax import parse
from sched_sdk import ForbiddenCallError, SchedError, WorkflowContext, workflow
from sched_sdk._definitions import workflow_definition_of
from sched_sdk._ignore_comments import ignored_rules
from sched_sdk._replay import guard
from sched_sdk._replay.class_clocks import CAN_WATCH
from sched_sdk._replay.run import WorkflowRun
from sched_sdk._replay.unsteady import UNSTEADY
from tests.replay.engine import Engine, Worker

HERE = "tests/replay/test_guard.py"

# Before the guard comes, as in an app whose worker starts after its imports.
pick_before = random.choice


@dataclass
class Stamped:
    at: float = field(default_factory=time.time)
    id: uuid.UUID = field(default_factory=uuid.uuid4)


guard.install([])


def runs(call: Callable[[], Any], *, guarded: bool = True) -> Any:
    """What a call gives in workflow code, in its first task."""
    given = []

    @workflow
    async def flow(ctx: WorkflowContext) -> None:
        given.append(call())

    in_first_task(flow, guarded=guarded)
    return given[0]


def in_first_task(flow: Any, *, guarded: bool = True) -> None:
    engine = Engine()
    engine.start()
    run = WorkflowRun(workflow_definition_of(flow), guarded=guarded)
    try:
        run.open_task(engine.history, 1)
        last = run.take_commands()[-1:]
        assert not last or not last[0].HasField("fail_workflow"), last
    finally:
        run.evict()


def connects() -> None:
    with socket.socket() as one:
        one.connect(("127.0.0.1", 1))


FORBIDDEN: list[tuple[Callable[[], Any], str, str]] = [
    (lambda: time.time(), "time.time()", "ctx.now()"),
    (lambda: monotonic(), "time.monotonic()", "ctx.now()"),
    (lambda: time.perf_counter_ns(), "time.perf_counter_ns()", "ctx.now()"),
    (lambda: random.random(), "random.random()", "ctx.random.random"),
    (lambda: choice([1, 2]), "random.choice()", "ctx.random.choice"),
    (lambda: pick_before([1, 2]), "random.choice()", "ctx.random.choice"),
    (lambda: uuid.uuid1(), "uuid.uuid1()", "ctx.uuid4()"),
    (lambda: uuid4(), "uuid.uuid4()", "ctx.uuid4()"),
    (lambda: os.urandom(4), "os.urandom()", "an activity or a step"),
    (lambda: secrets.token_hex(), "secrets.token_hex()", "an activity or a step"),
    (lambda: sorted([2, 1], key=lambda _: random.random()), "random.random()", "ctx.random"),
    (lambda: time.sleep(0), "time.sleep()", "ctx.sleep"),
    (lambda: open(os.devnull), "opening a file", "an activity"),  # noqa: SIM115 - never opened
    (lambda: Path(os.devnull).read_text(), "opening a file", "a step"),
    (lambda: shutil.copy(__file__, os.devnull), "shutil.copyfile()", "a step"),
    (lambda: os.listdir(), "os.listdir()", "a step"),
    (lambda: sqlite3.connect(":memory:"), "sqlite3.connect()", "a step"),
    (lambda: socket.create_connection(("127.0.0.1", 1)), "socket.getaddrinfo()", "an activity"),
    (lambda: connects(), "socket.connect()", "an activity"),
    (lambda: subprocess.run(["true"], check=True), "subprocess", "an activity"),
    (lambda: os.system("true"), "os.system()", "an activity"),
    (lambda: threading.Thread(target=print).start(), "starting a thread", "an activity"),
    (lambda: threading.Timer(0, print).start(), "starting a thread", "a step"),
]


@pytest.mark.parametrize(
    ("call", "name", "instead"), FORBIDDEN, ids=[str(number) for number in range(len(FORBIDDEN))]
)
def test_refused_in_workflow_code(call: Callable[[], Any], name: str, instead: str) -> None:
    with pytest.raises(ForbiddenCallError) as caught:
        runs(call)
    error = caught.value
    innermost = connects.__code__.co_firstlineno + 2 if name == "socket.connect()" else 0
    line = innermost or call.__code__.co_firstlineno
    assert error.call == name
    assert error.call_site == f"{HERE}:{line}"
    assert instead in error.instead
    assert str(error).startswith(f"{name} cannot be used in workflow code ({HERE}:{line}): it ")
    assert error.instead in str(error)
    assert isinstance(error, RuntimeError)
    assert isinstance(error, SchedError)


@pytest.mark.parametrize(
    "call",
    [pytest.param(call, id=name) for call, name, _ in FORBIDDEN if name.endswith("()")][:12],
)
def test_free_outside_of_workflow_code(call: Callable[[], Any]) -> None:
    call()
    assert runs(call, guarded=False) is not NotImplemented
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()


def test_code_that_swallows_the_error_does_not_go_on() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> float:
        try:
            return time.time()
        except Exception:
            return 0.0

    with pytest.raises(ForbiddenCallError, match=r"time\.time\(\)"):
        in_first_task(flow)


def test_predicates_and_tasks_are_workflow_code_too() -> None:
    @workflow
    async def asks(ctx: WorkflowContext) -> None:
        await ctx.wait_for(lambda: time.time() > 0)

    @workflow
    async def spawns(ctx: WorkflowContext) -> None:
        async def child() -> None:
            random.random()

        await asyncio.create_task(child())

    for flow in (asks, spawns):
        with pytest.raises(ForbiddenCallError):
            in_first_task(flow)


# What has to keep working


class FileHandler(logging.Handler):
    """An app's own handler."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def emit(self, record: logging.LogRecord) -> None:
        with self.path.open("a") as file:
            file.write(f"{time.time()} {uuid.uuid4()} {record.getMessage()}\n")


def test_loggers_may_do_what_they_do(tmp_path: Path) -> None:
    logger = logging.getLogger("tests.guard")
    handlers = [FileHandler(tmp_path / "own"), logging.FileHandler(tmp_path / "std", delay=True)]
    handlers[1].setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    for handler in handlers:
        logger.addHandler(handler)
    try:
        runs(lambda: logger.warning("hello"))
    finally:
        for handler in handlers:
            logger.removeHandler(handler)
            handler.close()
    for name in ("own", "std"):
        assert (tmp_path / name).read_text().endswith(" hello\n")


def test_imports_may_do_what_they_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "imported_late.py").write_text(
        "import time, threading, random\n"
        "with open(__file__) as file: text = file.read()\n"
        "began = time.time(); salt = random.random()\n"
        "thread = threading.Thread(target=int); thread.start(); thread.join()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))

    def imports() -> float:
        import imported_late  # type: ignore[import-not-found]  # written above

        began: float = imported_late.began
        return began

    assert runs(imports) > 0
    del sys.modules["imported_late"]


def shows_a_traceback() -> str:
    try:
        raise ValueError("some")
    except ValueError:
        return traceback.format_exc()


def warns() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with warnings.catch_warnings(record=True):
            warnings.warn("some", stacklevel=1)


PURE: list[Callable[[], Any]] = [
    Stamped,
    shows_a_traceback,
    warns,
    lambda: zoneinfo.ZoneInfo.no_cache("Europe/Berlin"),
    lambda: random.Random(7).random(),
    lambda: datetime(2026, 1, 1, tzinfo=UTC).isoformat(),
    lambda: uuid.uuid5(uuid.NAMESPACE_DNS, "a"),
    lambda: time.time() > 0,  # sched: ignore[SCH101]
    lambda: time.monotonic() > 0,  # sched: ignore
    lambda: io.StringIO("text").read(),
]


@pytest.mark.parametrize("call", PURE, ids=[str(number) for number in range(len(PURE))])
def test_pure_code_keeps_working(call: Callable[[], Any]) -> None:
    runs(call)


def test_a_comment_about_another_rule_lets_nothing_pass() -> None:
    with pytest.raises(ForbiddenCallError, match=r"# sched: ignore\[SCH101\]"):
        runs(lambda: time.time())  # sched: ignore[SCH102]


def test_models_keep_working() -> None:
    pydantic = pytest.importorskip("pydantic")
    msgspec = pytest.importorskip("msgspec")

    class Model(pydantic.BaseModel):  # type: ignore[misc, name-defined]  # may not be installed
        id: uuid.UUID = pydantic.Field(default_factory=uuid4)
        at: datetime = pydantic.Field(default_factory=functools.partial(datetime.now, UTC))

    class Struct(msgspec.Struct):  # type: ignore[misc, name-defined]  # may not be installed
        id: uuid.UUID = msgspec.field(default_factory=uuid4)

    assert runs(lambda: (Model(), Struct()))


# Installed libraries


@pytest.fixture
def library(tmp_path: Path) -> ModuleType:
    folder = tmp_path / "site-packages"
    folder.mkdir()
    file = folder / "installed.py"
    file.write_text(
        "import os, random, socket, subprocess, threading, time\n"
        "def now(): return time.time()\n"
        "def chance(): return random.random()\n"
        "def read(): return open(os.devnull).close()\n"
        "def thread(): t = threading.Thread(target=int); t.start(); t.join()\n"
        "def connect():\n"
        "    with socket.socket() as one: one.connect(('127.0.0.1', 1))\n"
        "def process(): subprocess.run(['true'])\n"
        "def sleep(): time.sleep(0)\n"
        "def call(function): return function()\n"
    )
    module = ModuleType("installed")
    exec(compile(file.read_text(), str(file), "exec"), vars(module))
    return module


@pytest.mark.parametrize("name", ["now", "chance", "read", "thread"])
def test_what_a_library_does_for_itself_is_let_pass(library: ModuleType, name: str) -> None:
    runs(lambda: getattr(library, name)())


@pytest.mark.parametrize("name", ["connect", "process", "sleep"])
def test_no_library_may_block(library: ModuleType, name: str) -> None:
    with pytest.raises(ForbiddenCallError) as caught:
        runs(lambda: getattr(library, name)())
    assert caught.value.call_site.startswith(HERE)


def test_a_function_of_the_app_is_the_app_whoever_calls_it(library: ModuleType) -> None:
    with pytest.raises(ForbiddenCallError):
        runs(lambda: library.call(lambda: time.time()))


# Where the guard is not


def test_replay_goes_on_over_what_was_done_without_the_guard() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> None:
        time.time()
        await ctx.wait_for_signal("go")
        time.time()

    engine = Engine()
    engine.start()
    Worker(engine, flow).work()
    engine.signal("go")
    run = WorkflowRun(workflow_definition_of(flow), guarded=True)
    run.replay(engine.history)
    with pytest.raises(ForbiddenCallError):
        run.open_task([], len(engine.history))
    run.evict()


def test_a_query_is_refused_and_leaves_the_run_as_it_was() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> None:
        @ctx.query
        def age() -> float:
            return time.time()

        await ctx.wait_for_signal("go")

    engine = Engine()
    engine.start()
    run = WorkflowRun(workflow_definition_of(flow), guarded=True)
    run.open_task(engine.history, 1)
    with pytest.raises(ForbiddenCallError, match=r"time\.time\(\)"):
        run.query("age", [])
    run.acknowledge(2, engine.now_us)
    engine.signal("go")
    run.open_task([engine.history[-1]], 2)
    assert run.closed
    run.evict()


# The stand-ins


class Holder:
    clock = time.time
    sleep = time.sleep


def test_a_stand_in_is_as_good_as_the_function() -> None:
    assert Holder().clock() > 0
    assert Holder().sleep(0) is None
    assert pickle.loads(pickle.dumps(time.time)) is time.time
    assert copy.deepcopy(uuid.uuid4) is uuid.uuid4
    assert time.time.__name__ == "time"
    assert {call.name for call in UNSTEADY.values()} > {"time", "random", "uuid4", "urandom"}
    assert isinstance(datetime.now(UTC), datetime)


def test_a_program_that_is_only_a_client_is_left_alone() -> None:
    program = (
        "import time; before = time.time\n"
        "from sched_sdk import Client, SyncClient, Worker\n"
        "Worker('localhost:1', activities=[]) if False else None\n"
        "assert time.time is before\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    "comment",
    [
        "# sched: ignore",
        "# sched: ignore[SCH101]",
        "#sched:ignore[sch101, SCH106]  for the log",
        "# sched: ignored",
        "# sched: ignore [SCH101]",
        "# noqa  # sched: ignore[]",
        "# anything else",
    ],
)
def test_comments_mean_what_they_mean_to_sched_check(comment: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(f"x = 1  {comment}\n")
    module = parse(tmp_path / "app.py", tmp_path, "app")
    for rule in ("SCH101", "SCH106", "SCH102"):
        ignored = ignored_rules(comment)
        assert (ignored is None or rule in ignored) == module.is_ignored(rule, 1, 1)


class Moment(datetime):
    pass


CLASS_CLOCKS: list[tuple[str, Callable[[], Any]]] = [
    ("datetime.now()", lambda: datetime.now(UTC)),
    ("datetime.utcnow()", lambda: datetime.utcnow()),  # noqa: DTZ003
    ("datetime.today()", lambda: datetime.today()),  # noqa: DTZ002
    ("date.today()", lambda: date.today()),  # noqa: DTZ011
    ("Moment.now()", lambda: Moment.now(UTC)),
    ("datetime.now()", lambda: [datetime.now(tz) for tz in (UTC,)]),
]


class Clock:
    def now(self) -> str:
        return "of another kind"


# What was imported since.
guard.install([])


@pytest.mark.skipif(not CAN_WATCH, reason="the interpreter does not tell of calls before 3.12")
@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
@pytest.mark.parametrize(("name", "call"), CLASS_CLOCKS)
def test_the_clocks_of_datetime_are_refused(name: str, call: Callable[[], Any]) -> None:
    with pytest.raises(ForbiddenCallError) as refused:
        runs(call)
    assert refused.value.call == name
    assert refused.value.instead == "ctx.now()"
    assert refused.value.call_site == f"{HERE}:{call.__code__.co_firstlineno}"
    assert runs(call, guarded=False) is not None
    assert call() is not None


def test_a_clock_of_another_kind_passes() -> None:
    assert runs(lambda: Clock().now()) == "of another kind"
    assert runs(lambda: datetime.now(UTC)) is not None  # sched: ignore[SCH101]
