"""Registry, outbox, heartbeats, threads: each by itself."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from sched_sdk import DefinitionError, Worker, WorkflowContext, activity, workflow
from sched_sdk._client.machine import Machine
from sched_sdk._worker.heartbeats import Heartbeats, interval_s
from sched_sdk._worker.outbox import ACTIVITY_REPORTS, HEARTBEATS, Outbox, encode_entry
from sched_sdk._worker.threads import ThreadPool, thread_pool
from sched_sdk.api.v1 import common_pb2, worker_service_pb2
from tests.worker.waiting import until


@workflow
async def one(ctx: WorkflowContext) -> None: ...


@workflow(name="one")
async def other(ctx: WorkflowContext) -> None: ...


@activity
async def act() -> None: ...


class Mailer:
    @activity
    async def send(self, to: str) -> None: ...


async def plain() -> None: ...


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "no workflows and no activities"),
        ({"workflows": [one, other]}, "two workflows are named 'one'"),
        ({"workflows": [plain]}, "plain"),
        ({"activities": [one]}, "one"),
        ({"activities": [Mailer.send]}, "bound to an instance"),
        ({"activities": [act], "max_concurrent_activities": 0}, "max_concurrent_activities is 0"),
        ({"activities": [act], "task_queue": ""}, "task queue"),
        ({"activities": [act], "graceful_shutdown": -1}, "graceful_shutdown"),
    ],
)
def test_mistakes_show_when_the_worker_is_made(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        Worker("localhost:1", **arguments)


def test_the_same_function_twice_is_no_mistake() -> None:
    Worker("localhost:1", workflows=[one, one], activities=[act, Mailer().send])


def test_the_build_id_is_stable() -> None:
    first, second = (Worker("localhost:1", workflows=[one]).build_id for _ in range(2))
    assert first == second
    assert Worker("localhost:1", workflows=[one], build_id="v7").build_id == "v7"


def report(dispatch: int, size: int = 0) -> bytes:
    result = common_pb2.Payload(data=b"x" * size)
    message = worker_service_pb2.ActivityReport(dispatch=dispatch, result=result)
    return encode_entry(ACTIVITY_REPORTS, message)


def frames(outbox: Outbox) -> list[worker_service_pb2.WorkerFrame]:
    parsed = []
    while frame := outbox.take():
        parsed.append(worker_service_pb2.WorkerFrame.FromString(frame))
    return parsed


def test_everything_that_waits_leaves_in_one_frame() -> None:
    outbox = Outbox()
    for dispatch in (1, 2, 3):
        outbox.put(report(dispatch))
    outbox.renew([4])
    outbox.hand_back(5)
    outbox.evicted("run")
    outbox.drain()
    (frame,) = frames(outbox)
    assert [entry.dispatch for entry in frame.activity_reports] == [1, 2, 3]
    assert (list(frame.renewals), list(frame.returned)) == ([4], [5])
    assert list(frame.evicted_run_ids) == ["run"]
    assert frame.drain
    assert not outbox.take()


def test_who_has_nothing_to_say_is_heard_all_the_same() -> None:
    outbox = Outbox()
    outbox.say_something()
    outbox.say_something()
    assert frames(outbox) == [worker_service_pb2.WorkerFrame()]
    outbox.evicted("run")
    outbox.say_something()
    (frame,) = frames(outbox)
    assert frame.evicted_run_ids == ["run"]


def test_a_frame_is_bounded() -> None:
    outbox = Outbox()
    for dispatch in range(5):
        outbox.put(report(dispatch, 400_000))
    outbox.put(report(5, 2_000_000))
    counts = [len(frame.activity_reports) for frame in frames(outbox)]
    assert counts == [2, 2, 1, 1]


def test_the_end_of_a_frame() -> None:
    outbox = Outbox()
    outbox.put(encode_entry(HEARTBEATS, worker_service_pb2.ActivityHeartbeat(dispatch=1)))
    outbox.end_frame()
    outbox.put(report(1))
    first, second = frames(outbox)
    assert len(first.heartbeats) == 1
    assert len(second.activity_reports) == 1


async def test_heartbeats_are_throttled_to_the_last_one() -> None:
    sent: list[bytes] = []
    heartbeats = Heartbeats(
        asyncio.get_running_loop(), 0.05, lambda details: sent.append(details.data)
    )
    for number in range(100):
        heartbeats.beat(common_pb2.Payload(data=str(number).encode()))
    assert sent == [b"0"]
    await until(lambda: len(sent) == 2)
    assert sent == [b"0", b"99"]
    heartbeats.beat(common_pb2.Payload(data=b"last"))
    assert heartbeats.flush()
    assert not heartbeats.flush()
    assert sent[-1] == b"last"
    heartbeats.close()


async def test_heartbeats_from_threads_all_count() -> None:
    sent: list[bytes] = []
    done = threading.Event()
    heartbeats = Heartbeats(
        asyncio.get_running_loop(), 0.001, lambda details: sent.append(details.data)
    )

    def beat() -> None:
        for number in range(2000):
            heartbeats.beat(common_pb2.Payload(data=str(number).encode()))
        done.set()

    thread = threading.Thread(target=beat)
    thread.start()
    await until(lambda: done.is_set() and sent[-1:] == [b"1999"])
    thread.join()
    assert len(sent) < 2000
    heartbeats.close()


def test_the_interval_of_heartbeats() -> None:
    assert interval_s(0) == 10
    assert interval_s(3_000_000) == 1
    assert interval_s(600_000_000) == 10


async def test_threads_run_as_many_at_a_time_as_allowed() -> None:
    pool = ThreadPool(3, "test")
    barrier = threading.Barrier(3)
    names = await asyncio.gather(
        *(
            pool.submit(lambda: (barrier.wait(5), threading.current_thread().name)[1])
            for _ in range(3)
        )
    )
    assert len(set(names)) == 3
    assert all(name.startswith("test-") for name in names)
    results = await asyncio.gather(*(pool.submit(lambda n=n: n) for n in range(50)))
    assert results == list(range(50))
    pool.close()


async def test_without_threads_functions_run_in_later_turns_of_the_loop() -> None:
    pool = thread_pool(Machine(threads=False), 3, "test")
    ran: list[int] = []
    first, second = (pool.submit(lambda n=n: ran.append(n)) for n in (1, 2))
    assert not ran
    await asyncio.gather(first, second)
    assert ran == [1, 2]
    pool.close()


@pytest.mark.parametrize("threads", [True, False])
async def test_what_leaves_a_thread_does_not_end_the_loop(threads: bool) -> None:
    pool = thread_pool(Machine(threads=threads), 1, "test")
    for error in (SystemExit(2), KeyboardInterrupt(), StopIteration(1)):

        def raises(error: BaseException = error) -> None:
            raise error

        with pytest.raises(RuntimeError, match=type(error).__name__):
            await pool.submit(raises)
    pool.close()
