"""`sched cluster status`, of leaders and of engines that stand by."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.engines import address_of, start_engine
from tests.cli.support import Running, sched, sched_in_process, wait_until
from tests.queue.redis_server import RedisServer

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Served
    from tests.servers.postgres import PostgresServer


def ask(engine: str, *options: str) -> subprocess.CompletedProcess[str]:
    return sched_in_process("cluster", "status", "--engine", engine, *options, environment={})


def status(engine: str) -> Any:
    done = ask(engine, "-o", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    server = RedisServer("--maxmemory-policy", "allkeys-lru", "--maxmemory", "100mb")
    server.start()
    yield server
    server.remove()


def test_a_dev_server(served: Served) -> None:
    served.start("Waits", "--id", "cluster-waits")
    shown = served.sched("cluster", "status")
    assert shown.returncode == 0, shown.stderr
    assert f"Engine      {served.address}  LEADER  sched 0." in shown.stdout
    assert f"Leader      {served.address}, epoch " in shown.stdout
    assert "Standbys    none" in shown.stdout
    assert "Store       sqlite " in shown.stdout
    assert "Queue       in the engine's memory" in shown.stdout
    assert "TASK QUEUE" in shown.stdout
    told = json.loads(served.sched("cluster", "status", "-o", "jsonl").stdout)
    (worker,) = told["workers"]
    assert worker["task_queue"] == "default"
    assert "HelloWorld" in worker["workflow_types"]
    assert worker["activity_slots"] > 0
    assert told["task_queues"][0]["workers"] == 1
    assert told["open_workflows"] >= 1
    assert told["queue"] == {
        "description": "in the engine's memory",
        "connected": True,
        "last_error": "",
        "warnings": [],
    }
    served.sched("workflow", "terminate", "cluster-waits")


def test_a_leader_a_standby_and_what_waits(postgres_database: str, tmp_path: Path) -> None:
    assert sched("init", "my-app", cwd=tmp_path).returncode == 0
    with (
        start_engine(tmp_path, postgres_database) as first,
        Running(
            *("worker", "app.py", "--task-queue", "mail", "--engine", address_of(first)),
            cwd=tmp_path / "my-app",
        ) as worker,
    ):
        leader = address_of(first)
        worker.wait_for("serves workflows")
        with start_engine(tmp_path, postgres_database) as second:
            standby = address_of(second)
            second.wait_for("stands by; the leader is at")
            start = ("workflow", "start", "HelloWorld", "-i", "x", "--engine", leader)
            assert sched_in_process(*start, environment={}).returncode == 0

            told = status(standby)
            assert (told["role"], told["address"]) == ("STANDBY", standby)
            assert (told["leader_address"], told["epoch"]) == (leader, 1)
            assert [each["address"] for each in told["standbys"]] == [standby]
            assert [each["task_queue"] for each in told["workers"]] == ["mail"]
            queues = {each.pop("name"): each for each in told["task_queues"]}
            assert queues["default"] == {
                "workers": 0,
                "pending_workflow_tasks": 1,
                "pending_activity_tasks": 0,
            }
            assert queues["mail"]["workers"] == 1

            of_leader = status(f"{leader},{standby}")
            assert (of_leader["role"], of_leader["address"]) == ("LEADER", leader)
            for same in ("leader_address", "epoch", "workers", "task_queues", "queue", "store"):
                assert of_leader[same] == status(standby)[same]

            shown = ask(f"127.0.0.1:1,{standby}").stdout
            assert f"Engine      {standby}  STANDBY  sched 0." in shown
            assert f"Leader      {leader}, epoch 1" in shown
            assert f"Standbys    {standby}, waits for" in shown


def test_a_leader_that_cannot_be_reached_from_here(postgres_database: str, tmp_path: Path) -> None:
    with start_engine(tmp_path, postgres_database, "--advertise", "127.0.0.1:1") as first:
        first.wait_for("leads, epoch")
        with start_engine(tmp_path, postgres_database) as second:
            second.wait_for("stands by; the leader is at 127.0.0.1:1")
            shown = ask(address_of(second))
            assert shown.returncode == 0
            assert "Leader      127.0.0.1:1, epoch 1" in shown.stdout
            assert "the leader does not answer from here" in shown.stdout
            assert status(address_of(second))["queue"] is None


def test_what_is_wrong_with_redis(
    postgres_database: str, tmp_path: Path, redis: RedisServer
) -> None:
    options = ("--redis-url", redis.url)
    with start_engine(tmp_path, postgres_database, *options) as engine:
        address = address_of(engine)
        engine.wait_for(f"queue   Redis at 127.0.0.1:{redis.port}\n")
        engine.wait_for("leads, epoch")
        wait_until(lambda: status(address)["queue"]["connected"], "Redis is connected")
        queue = status(address)["queue"]
        assert queue["description"].startswith("Redis 6.")
        assert queue["description"].endswith(f"at 127.0.0.1:{redis.port}")
        (warning,) = queue["warnings"]
        assert "allkeys-lru" in warning
        assert "allkeys-lru" in ask(address).stdout

        redis.kill()
        refused = "not connected: Connection refused"
        wait_until(lambda: refused in ask(address).stdout, "its loss is noticed")


def test_a_postgres_that_is_away(
    postgres_server: PostgresServer, stoppable_database: str, tmp_path: Path
) -> None:
    with (
        start_engine(tmp_path, stoppable_database) as first,
        start_engine(tmp_path, stoppable_database) as second,
    ):
        engines = [address_of(first), address_of(second)]
        for engine in (first, second):
            engine.wait_for("leads, epoch|stands by; the leader is at")
        well = status(engines[0])["store_status"]
        assert (well["connected"], well["last_error"]) == (True, "")
        postgres_server.stop()
        try:
            for engine in engines:
                done = ask(engine)
                assert done.returncode == 0, done.stderr
                assert "\n            not connected: " in done.stdout
                assert "Workflows   unknown while the store does not answer" in done.stdout
                told = status(engine)["store_status"]
                assert not told["connected"]
                assert "secret" not in done.stdout + told["last_error"]
            refused = "nothing listens there; start Postgres"
            for engine in engines:
                wait_until(lambda e=engine: refused in ask(e).stdout, "it says what to do")
            # Their leases are over.
            wait_until(lambda: status(engines[0])["leader_address"] == "", "nobody leads")
            both = ask(",".join(engines))
            assert f"Engine      {engines[0]}  STANDBY" in both.stdout
            assert f"{engines[1]} is without its store: " in both.stderr
        finally:
            postgres_server.start()
        for engine in engines:
            wait_until(lambda e=engine: status(e)["store_status"]["connected"], "it is back")
        wait_until(lambda: status(engines[0])["leader_address"] in engines, "one leads again")


def test_nobody_answers() -> None:
    done = ask("127.0.0.1:1,127.0.0.1:2")
    assert done.returncode == 3
    assert "127.0.0.1:1 (connection refused) or 127.0.0.1:2 (connection refused)" in done.stderr
    assert "Start one: sched dev" in done.stderr
    assert done.stdout == ""


def test_somebody_else_answers() -> None:
    """What listens takes the connection and says nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        done = ask(address)
    assert done.returncode == 3
    assert f"{address} (no answer within 4 s). Look whether it is overloaded" in done.stderr
