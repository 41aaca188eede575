"""`sched doctor` on real engines and servers."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from redis import Redis
from rich.console import Console

from sched_cli.doctor.findings import fail
from sched_cli.doctor.postgres import examine as look_into_postgres
from sched_cli.render.doctor import print_findings
from sched_server.queue.redis.checkup import examine as look_into_redis
from sched_server.store.postgres import migrate_database
from sched_server.store.postgres.checkup import LOCKED_S, examine
from tests.cli.support import sched_in_process, wait_until
from tests.queue.redis_server import RedisServer
from tests.servers.pooler import Pooler

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Served

NOBODY = ("--engine", "127.0.0.1:1")


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    server = RedisServer("--maxmemory-policy", "allkeys-lru", password="secret-of-redis")
    server.start()
    yield server
    server.remove()


def test_a_dev_server_with_a_worker(served: Served) -> None:
    # What other tests leave on this server is stuck or not; this asks about the rest.
    done = served.sched("doctor", "-o", "json")
    told = json.loads(done.stdout)
    levels = {finding["check"]: finding["level"] for finding in told["findings"]}
    assert done.returncode == (1 if told["verdict"] == "fail" else 0), done.stderr
    for check in ("here.python", "engine.answers", "engine.version", "engine.clock"):
        assert levels[check] == "ok"
    for check in ("engine.leader", "engine.store", "workers.sdk", "workers.builds"):
        assert levels[check] == "ok"
    lines = served.sched("doctor", "-o", "jsonl").stdout.splitlines()
    assert [json.loads(line)["check"] for line in lines] == [
        finding["check"] for finding in told["findings"]
    ]


def test_what_is_stuck_is_a_failure(served: Served) -> None:
    served.start("NobodyHasThis", "--id", "doctor-stuck", "--task-queue", "nobody")
    done = served.sched("doctor")
    served.sched("workflow", "terminate", "doctor-stuck")
    assert done.returncode == 1
    assert "  ✗ Queue nobody has no worker, and 1 workflow task waits.\n" in done.stdout
    assert "    → Start one: sched worker app.py --task-queue nobody\n" in done.stdout


def test_it_fits_the_terminal() -> None:
    console = Console(width=40, file=io.StringIO())
    remedy = "Start one (sched dev, or sched engine), or name the right address with --engine."
    print_findings(console, [fail("engine.answers", "localhost:50051 does not answer.", remedy)])
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().splitlines() == [
        "Engines",
        "  ✗ localhost:50051 does not answer.",
        "    → Start one (sched dev, or sched",
        "      engine), or name the right address",
        "      with --engine.",
        "",
        "1 failure.",
    ]


async def test_a_pooler_that_keeps_no_sessions(postgres_dsn: str) -> None:
    pooler = Pooler(postgres_dsn, keeps_sessions=False)
    await pooler.start()
    try:
        (found,) = await look_into_postgres(pooler.dsn)
    finally:
        await pooler.stop()
    assert found.check == "postgres.reach"
    assert "is a connection pooler in transaction mode" in found.message
    assert "pool_mode=session" in found.remedy


def test_without_an_engine_the_servers_are_looked_at(
    postgres_database: str, redis: RedisServer
) -> None:
    options = ("--postgres-dsn", postgres_database, "--redis-url", redis.url)
    done = sched_in_process("doctor", *NOBODY, *options, "-o", "json", environment={})
    assert done.returncode == 3
    told = {finding["check"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert told["engine.answers"]["level"] == "fail"
    assert told["postgres.reach"]["level"] == "ok"
    assert told["postgres.schema"]["level"] == "fail"
    assert "sched migrate up" in told["postgres.schema"]["remedy"]
    assert told["postgres.clock"]["level"] == "ok"
    assert told["redis.reach"]["level"] == "ok"
    assert told["redis.memory"]["level"] == "warn"
    assert "noeviction" in told["redis.memory"]["remedy"]
    assert told["redis.persistence"]["level"] == "ok"
    assert "secret" not in done.stdout + done.stderr


def test_passwords_are_in_no_finding(redis: RedisServer) -> None:
    wrong = redis.url.replace("secret-of-redis", "geheim")
    dsn = "postgresql://ann:geheim@127.0.0.1:1/sched"
    done = sched_in_process(
        "doctor", *NOBODY, "--postgres-dsn", dsn, "--redis-url", wrong, environment={}
    )
    assert done.returncode == 3
    assert "check the user and the password in the Redis URL" in done.stdout
    assert "geheim" not in done.stdout + done.stderr


async def test_a_remedy_for_snapshots_that_fail() -> None:
    server = RedisServer("--dbfilename", "taken.rdb")
    server.start()
    client = Redis.from_url(server.url)
    try:
        (Path(client.config_get("dir")["dir"]) / "taken.rdb").mkdir()
        client.config_set("save", "900 1")
        client.bgsave()
        wait_until(
            lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err", "it fails"
        )
        assert (await look_into_redis(server.url)).snapshots_fail
        client.config_set("save", "")
        assert not (await look_into_redis(server.url)).snapshots_fail
    finally:
        client.close()
        server.remove()


def test_a_url_that_is_none_is_a_usage_error() -> None:
    done = sched_in_process("doctor", *NOBODY, "--redis-url", "http://x", environment={})
    assert done.returncode == 2
    assert "--redis-url: Not a Redis URL" in done.stderr


async def test_a_database_with_a_schema_and_a_transaction_that_blocks_it(
    postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate_database(postgres_database)
    good = await examine(postgres_database)
    assert good.schema == ""
    assert good.transactions == ()
    assert {"runs", "events", "tasks", "timers"} <= {table.name for table in good.tables}
    (server, *_) = good.connections
    assert server.of == "the server"
    assert 0 < server.taken < server.allowed
    # Waiting as long as a person would notice is not needed to see that it is found.
    monkeypatch.setattr("sched_server.store.postgres.checkup.LOCKED_S", 0.0)
    assert LOCKED_S > 1
    with psycopg.connect(postgres_database, application_name="somebody") as blocking:
        blocking.execute("LOCK TABLE sched.tasks IN EXCLUSIVE MODE")
        (found,) = (await examine(postgres_database)).transactions
        blocking.rollback()
    assert found.application == "somebody"
    assert found.state == "idle in transaction"
    assert found.tables == ("tasks",)
    assert found.keeps_writers_out
