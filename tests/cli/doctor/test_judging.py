"""What is said of installations, for fixed facts."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest
from msgspec import structs

from sched_cli.doctor import engines, here, postgres, redis, serving, workers, workflows
from sched_cli.doctor.engines import Answer
from sched_cli.doctor.findings import Finding, Level, in_order, ok, verdict, warn
from sched_sdk._client.models import (
    ClockStatus,
    ClusterStatus,
    EngineRole,
    QueueStatus,
    StoreStatus,
    TaskQueueStatus,
    TaskState,
    WorkerStatus,
)
from sched_sdk.errors import ApplicationError
from sched_server.queue.redis.checkup import RedisFacts
from sched_server.store.postgres.checkup import (
    ConnectionCount,
    LongTransaction,
    PostgresFacts,
    TableSize,
)
from tests.cli.test_rendering import NOW, description, info, pending, task

CLUSTER = ClusterStatus(
    role=EngineRole.LEADER,
    address="a:1",
    epoch=3,
    leader_address="a:1",
    standbys=(),
    version="0.1.0",
    store="postgres db/sched",
    store_status=StoreStatus(connected=True, last_error="", warnings=()),
    started_time=NOW,
    open_workflows=0,
    queue=QueueStatus(
        description="in the engine's memory", connected=True, last_error="", warnings=()
    ),
    workers=(),
    task_queues=(),
    clock=ClockStatus(machine_time=NOW, cluster_time=NOW, advanced=timedelta(0)),
)


def bad(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(f.level.value, f.check, f"{f.message} → {f.remedy}") for f in findings if f.remedy]


def answer(address: str = "a:1", **changes: Any) -> Answer:
    return Answer(address, dataclasses.replace(CLUSTER, **changes), asked=NOW)


def clock(**ahead: timedelta) -> ClockStatus:
    return ClockStatus(
        machine_time=NOW + ahead.get("machine", timedelta(0)),
        cluster_time=NOW + ahead.get("cluster", timedelta(0)),
        advanced=ahead.get("advanced", timedelta(0)),
    )


def test_a_good_cluster() -> None:
    found = engines.judge([answer()], "0.1.0")
    assert not bad(found)
    assert verdict(found) is Level.OK
    assert {finding.check for finding in found} == {
        "engine.answers",
        "engine.version",
        "engine.clock",
        "engine.leader",
        "engine.store",
        "engine.queue",
    }


ENGINES: list[tuple[list[Answer], str, str, str]] = [
    ([Answer("a:1", None, error="refused")], "fail", "engine.answers", "sched dev"),
    ([answer(), Answer("b:1", None, error="refused")], "warn", "engine.answers", "b:1 does not"),
    ([answer(version="0.2.0")], "warn", "engine.version", "a:1 is 0.2.0"),
    (
        [answer(clock=clock(machine=timedelta(seconds=30), cluster=timedelta(seconds=30)))],
        "warn",
        "engine.clock",
        "30 s ahead of this machine's",
    ),
    (
        [answer(clock=clock(cluster=timedelta(seconds=-30)))],
        "warn",
        "engine.clock",
        "30 s behind that of a:1",
    ),
    (
        [answer(leader_address="", queue=None, role=EngineRole.STANDBY)],
        "fail",
        "engine.leader",
        "No engine leads",
    ),
    (
        [answer(leader_address="c:1", queue=None, role=EngineRole.STANDBY)],
        "warn",
        "engine.leader",
        "--advertise",
    ),
    (
        [answer(store_status=StoreStatus(connected=False, last_error="it is away", warnings=()))],
        "fail",
        "engine.store",
        "it is away",
    ),
    (
        [answer(store_status=StoreStatus(connected=True, last_error="disk full", warnings=()))],
        "fail",
        "engine.store",
        "could not write: disk full",
    ),
    (
        [answer(store_status=StoreStatus(connected=True, last_error="", warnings=("bad; mend",)))],
        "warn",
        "engine.store",
        "bad → mend",
    ),
    (
        [
            answer(
                queue=QueueStatus(
                    description="Redis at r:6379", connected=False, last_error="gone", warnings=()
                )
            )
        ],
        "warn",
        "engine.queue",
        "not connected: gone",
    ),
]


@pytest.mark.parametrize(("answers", "level", "check", "words"), ENGINES)
def test_what_is_wrong_with_engines(
    answers: list[Answer], level: str, check: str, words: str
) -> None:
    (found,) = bad(engines.judge(answers, "0.1.0"))
    assert found[:2] == (level, check)
    assert words in found[2]


def test_a_clock_that_was_moved_on_purpose_is_no_fault() -> None:
    week = timedelta(days=7)
    assert not bad(engines.judge([answer(clock=clock(cluster=week, advanced=week))], "0.1.0"))


def test_the_time_that_the_question_took_is_not_held_against_a_clock() -> None:
    assert engines.clock_finding("engine.clock", "It", 5, 4).level is Level.OK
    assert engines.clock_finding("engine.clock", "It", -5, 1).level is Level.WARN


def worker(identity: str, build: str = "b1", queue: str = "default", **more: Any) -> WorkerStatus:
    fields: dict[str, Any] = {
        "identity": identity,
        "build_id": build,
        "sdk": "python/0.1.0",
        "task_queue": queue,
        "workflow_types": (),
        "activity_names": (),
        "workflow_task_slots": 200,
        "workflow_tasks_running": 0,
        "activity_slots": 100,
        "activities_running": 0,
        "draining": False,
        "connected_time": NOW,
    }
    return WorkerStatus(**{**fields, **more})


def queue(name: str, workers: int, code: int = 0, activities: int = 0) -> TaskQueueStatus:
    return TaskQueueStatus(
        name=name,
        workers=workers,
        pending_workflow_tasks=code,
        pending_activity_tasks=activities,
    )


def test_good_workers() -> None:
    status = dataclasses.replace(
        CLUSTER,
        workers=(worker("1@h"), worker("2@h"), worker("3@h", "b0", draining=True)),
        task_queues=(queue("default", 3, 10),),
    )
    found = workers.judge(status)
    assert not bad(found)
    assert "Queue default: 10 workflow tasks wait" in [finding.message for finding in found]


@pytest.mark.parametrize(
    ("status", "level", "check", "words"),
    [
        ({}, "warn", "workers.sdk", "No worker is connected."),
        (
            {"workers": (worker("1@h", sdk="python/0.0.9"),)},
            "warn",
            "workers.sdk",
            "python/0.0.9: 1@h",
        ),
        (
            {"workers": (worker("1@h"), worker("2@h", "b2"))},
            "warn",
            "workers.builds",
            "2 builds: b1: 1@h; b2: 2@h",
        ),
        (
            {"workers": (worker("1@h"),), "task_queues": (queue("mail", 0, 1),)},
            "fail",
            "workers.queues",
            "no worker, and 1 workflow task waits. → Start one: sched worker app.py --task",
        ),
        (
            {"workers": (worker("1@h", draining=True),), "task_queues": (queue("default", 1, 1),)},
            "fail",
            "workers.queues",
            "The workers of queue default take no more tasks, and 1 workflow task waits.",
        ),
        (
            {"workers": (worker("1@h"),), "task_queues": (queue("default", 1, 2, 4_000),)},
            "warn",
            "workers.queues",
            "2 workflow tasks and 4000 activities wait for 1 worker.",
        ),
    ],
)
def test_what_is_wrong_with_workers(
    status: dict[str, Any], level: str, check: str, words: str
) -> None:
    (found,) = bad(workers.judge(dataclasses.replace(CLUSTER, **status)))
    assert found[:2] == (level, check)
    assert words in found[2]


def serves(*workers_: WorkerStatus) -> ClusterStatus:
    return dataclasses.replace(CLUSTER, workers=workers_)


def test_workflows_for_which_there_is_code() -> None:
    served = worker("1@h", workflow_types=("MonthlyReport",))
    there = [
        description(workflow_task=task()),
        description(activities=(pending(has_worker=True),)),
        description(),
        description(workflow_task=task(has_worker=False, queue_has_workers=False)),
    ]
    assert not bad(serving.judge(there, serves(served)))
    assert not serving.judge(there, serves())


def test_what_no_worker_of_a_queue_has() -> None:
    lacking: dict[str, Any] = {
        "has_worker": False,
        "queue_has_workers": True,
        "state": TaskState.SCHEDULED,
    }
    there = serves(
        worker("1@h", workflow_types=("MonthlyRaport",)),
        worker("2@h", queue="mail", activity_names=("send_mail",)),
    )
    waiting = [
        description(info=info(workflow_id=f"wf-{number}"), workflow_task=task(**lacking))
        for number in range(2)
    ]
    waiting.append(
        description(
            info=info(workflow_type="MonthlyRaport"),
            activities=(pending(**lacking), pending(**lacking, seq=2)),
        )
    )
    code, activity = bad(serving.judge(waiting, there))
    assert code == (
        "fail",
        "workflows.served",
        (
            "None of the workers on queue default has workflow MonthlyReport, for which wf-0, wf-1 "
            "wait. Did you mean 'MonthlyRaport'? → Add it to what they run, or start another: "
            "sched worker app.py"
        ),
    )
    assert activity[0] == "fail"
    assert (
        "has activity send_email, for which wf-1a2b waits. Did you mean 'send_mail'?"
        in (activity[2])
    )


def test_code_that_will_be_needed() -> None:
    (found,) = bad(serving.judge([description()], serves(worker("1@h", queue="mail"))))
    assert found[:2] == ("warn", "workflows.served")
    assert "No worker on queue default has workflow MonthlyReport, which wf-1a2b will" in found[2]


def test_workflows_that_get_on() -> None:
    waits = description(activities=(pending(attempt=1, scheduled_time=NOW - timedelta(days=9)),))
    retries = description(activities=(pending(attempt=9, scheduled_time=NOW),))
    found = workflows.judge([waits, retries, description(workflow_task=task())], 7, NOW)
    assert not bad(found)
    assert "the newest 3 of 7 open workflows" in found[0].message


def test_what_is_wrong_with_workflows() -> None:
    diverged = task(
        state=TaskState.BACKOFF,
        attempt=3,
        last_failure_cause="NON_DETERMINISM",
        last_failure=ApplicationError("expected a timer"),
    )
    failing = pending(
        state=TaskState.BACKOFF,
        attempt=40,
        scheduled_time=NOW - timedelta(hours=2),
        last_failure=ApplicationError("no route", type="ConnectionError"),
    )
    stuck = [
        description(info=info(workflow_id=f"wf-{number}"), workflow_task=diverged)
        for number in range(5)
    ]
    retrying = description(info=info(workflow_id="wf-r"), activities=(failing,))
    first, second = bad(workflows.judge([*stuck, retrying], 6, NOW))
    assert first[:2] == ("fail", "workflows.stuck")
    assert "the code of wf-0, wf-1, wf-2 and 2 more fails with non-determinism" in first[2]
    assert "sched why wf-0" in first[2]
    assert second[:2] == ("warn", "workflows.retrying")
    assert "send_email of wf-r has failed again and again for up to 2 h" in second[2]
    assert "no route" in second[2]


POSTGRES = PostgresFacts(
    description="postgres db/sched",
    version="18.1",
    clock_ahead_s=0.001,
    clock_doubt_s=0.001,
    autovacuum=True,
    warnings=(),
    schema="",
    connections=(ConnectionCount("the server", 10, 97),),
    transactions=(),
    tables=(TableSize("runs", 100, 3, 8_192, None),),
)
MEBIBYTE = 1024 * 1024


def test_a_good_postgres() -> None:
    assert not bad(postgres.judge(POSTGRES))


@pytest.mark.parametrize(
    ("facts", "level", "check", "words"),
    [
        (
            {"schema": "It has no sched schema yet. Run `sched migrate up`."},
            "fail",
            "postgres.schema",
            "no sched schema yet. → Run `sched migrate up`.",
        ),
        ({"clock_ahead_s": -60}, "warn", "postgres.clock", "1 m behind this machine's"),
        (
            {"connections": (ConnectionCount("role sched", 20, 25),)},
            "warn",
            "postgres.connections",
            "Only 5 of 25 connections of role sched are left",
        ),
        (
            {"transactions": (LongTransaction(7, "psql", "idle", 90.0, ("tasks",), True),)},
            "fail",
            "postgres.transactions",
            "keeps engines from writing tasks. → End it, if nobody needs it: SELECT pg_term",
        ),
        (
            {"transactions": (LongTransaction(7, "", "", 90.0, ("runs", "tasks"), False),)},
            "warn",
            "postgres.transactions",
            "Session 7 (no name, busy) has had a transaction open for 1 m 30 s, and holds locks",
        ),
        (
            {"transactions": (LongTransaction(7, "psql", "idle", 9_000.0, (), False),)},
            "warn",
            "postgres.transactions",
            "vacuum cannot remove",
        ),
        (
            {"tables": (TableSize("tasks", 10, 200_000, 9 * MEBIBYTE, NOW),)},
            "warn",
            "postgres.tables",
            "200000 dead rows and 10 live ones; the last vacuum: 2026-11-23 10:00 UTC",
        ),
        (
            {"tables": (TableSize("tasks", 10, 0, 900 * MEBIBYTE, None),)},
            "warn",
            "postgres.tables",
            "VACUUM FULL sched.tasks",
        ),
        ({"autovacuum": False}, "warn", "postgres.settings", "autovacuum is switched off"),
        ({"warnings": ("fsync is off; set it",)}, "warn", "postgres.settings", "is off → set it"),
    ],
)
def test_what_is_wrong_with_postgres(
    facts: dict[str, Any], level: str, check: str, words: str
) -> None:
    (found,) = bad(postgres.judge(structs.replace(POSTGRES, **facts)))
    assert found[:2] == (level, check)
    assert words in found[2]


REDIS = RedisFacts(
    address="r:6379",
    version="7.2.4",
    refusal="",
    warnings=(),
    eviction="noeviction",
    used_bytes=MEBIBYTE,
    allowed_bytes=0,
    clients=4,
    allowed_clients=10_000,
    loading=False,
    replica=False,
    snapshots_fail=False,
    log_fails=False,
    log_kept=False,
)


def test_a_good_redis() -> None:
    assert not bad(redis.judge(REDIS))


@pytest.mark.parametrize(
    ("facts", "level", "check", "words"),
    [
        ({"refusal": "It is old. Upgrade it."}, "fail", "redis.reach", "It is old. → Upgrade it."),
        ({"replica": True}, "fail", "redis.reach", "takes no writes"),
        ({"loading": True}, "warn", "redis.reach", "still loads"),
        (
            {"warnings": ("It evicts keys. Set noeviction.",)},
            "warn",
            "redis.memory",
            "It evicts keys. → Set noeviction.",
        ),
        (
            {"allowed_bytes": MEBIBYTE + 1},
            "warn",
            "redis.memory",
            "1.0 MiB of 1.0 MiB of memory",
        ),
        ({"clients": 9_999}, "warn", "redis.memory", "9999 of 10000 clients"),
        ({"snapshots_fail": True}, "fail", "redis.persistence", "its last snapshot"),
        ({"log_fails": True}, "fail", "redis.persistence", "its last append-only file"),
    ],
)
def test_what_is_wrong_with_redis(
    facts: dict[str, Any], level: str, check: str, words: str
) -> None:
    (found,) = bad(redis.judge(structs.replace(REDIS, **facts)))
    assert found[:2] == (level, check)
    assert words in found[2]


def test_an_old_python() -> None:
    assert here.judge_python((3, 10), "3.10.1", "/usr/bin/python").level is Level.FAIL
    assert here.judge_python((3, 11), "3.11.0", "/usr/bin/python").level is Level.OK


def test_findings_are_shown_in_one_order() -> None:
    redis_first = [ok("redis.reach", "a"), ok("here.python", "b"), warn("redis.reach", "c", "d")]
    assert [finding.message for finding in in_order(redis_first)] == ["b", "a", "c"]
    assert verdict([]) is Level.OK
