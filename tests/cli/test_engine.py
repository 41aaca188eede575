"""`sched engine`: what it says, how it leads, stands by and ends, what it refuses."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
from typing import TYPE_CHECKING

import grpc
import psycopg
import pytest

from sched_sdk.api.v1 import workflow_service_pb2, workflow_service_pb2_grpc
from sched_server.store.migration import load_migrations, migrations_directory
from tests.cli.engines import address_of, start_engine
from tests.cli.support import DEADLINE_S, Running, sched, sched_in_process, start_dev
from tests.queue.redis_server import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.postgres import PostgresServer

_PORTS = ("--port", "0", "--metrics-port", "0")


def engine_to_its_end(
    *options: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """For one that must not start."""
    return sched_in_process(
        *("engine", *_PORTS, "--store-wait", "0", *options), environment=environment or {}
    )


# --- serving ------------------------------------------------------------------------


def test_it_says_what_serves_and_runs_workflows(postgres_database: str, tmp_path: Path) -> None:
    assert sched("init", "my-app", cwd=tmp_path).returncode == 0
    project = tmp_path / "my-app"
    with start_engine(tmp_path, postgres_database) as engine:
        address = address_of(engine)
        engine.wait_for(r"store   postgres \S+/sched_test_\d+\n")
        engine.wait_for("queue   in the engine's memory\n")
        engine.wait_for(r"metrics http://127\.0\.0\.1:\d+/metrics\n")
        engine.wait_for("role    leads, epoch 1\n")
        with Running("worker", "app.py", "--engine", address, cwd=project) as worker:
            worker.wait_for("serves workflows")
            done = sched(
                *("workflow", "start", "HelloWorld", "--input", "world", "--wait"),
                *("--engine", address),
            )
        assert (done.returncode, done.stdout) == (0, "Hello, world!\n"), done.stderr
    assert engine.process.returncode == 0
    assert "secret" not in engine.output
    assert "Traceback" not in engine.output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it(postgres_database: str, tmp_path: Path, number: signal.Signals) -> None:
    with start_engine(tmp_path, postgres_database, "--grace", "60") as engine:
        engine.wait_for("leads, epoch")
        os.kill(engine.process.pid, number)
        # Nothing was under way that it could wait for.
        assert engine.process.wait(timeout=DEADLINE_S) == 0
    assert "Traceback" not in engine.output
    assert "role    stands by" not in engine.output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_the_grace(
    postgres_database: str, tmp_path: Path, number: signal.Signals
) -> None:
    with (
        start_engine(tmp_path, postgres_database, "--grace", "60") as engine,
        start_engine(tmp_path, postgres_database, "--grace", "60") as another,
    ):
        for each in (engine, another):
            each.wait_for("leads, epoch|stands by; the leader")
        leader, other = (engine, another) if "leads, epoch" in engine.output else (another, engine)
        with grpc.insecure_channel(address_of(leader)) as channel:
            stub = workflow_service_pb2_grpc.WorkflowServiceStub(channel)
            started = workflow_service_pb2.StartWorkflowRequest(
                workflow_id="w", workflow_type="W", task_queue="q", request_id="r"
            )
            stub.StartWorkflow(started, timeout=10)
            result = workflow_service_pb2.GetWorkflowResultRequest(workflow_id="w", wait_ms=60_000)
            waiting = stub.GetWorkflowResult.future(result)
            stub.StartWorkflow(started, timeout=10)  # the call before has arrived
            os.kill(leader.process.pid, signal.SIGTERM)
            with pytest.raises(subprocess.TimeoutExpired):
                leader.process.wait(timeout=1)
            os.kill(leader.process.pid, number)
            assert leader.process.wait(timeout=DEADLINE_S) == 0
            assert waiting.exception() is not None
        other.wait_for("leads, epoch")
    assert "asked again to stop" in leader.output
    assert "Traceback" not in leader.output


def test_a_standby_takes_over(postgres_database: str, tmp_path: Path) -> None:
    with start_engine(tmp_path, postgres_database) as first:
        first.wait_for("leads, epoch 1")
        with start_engine(tmp_path, postgres_database) as second:
            second.wait_for(f"role    stands by; the leader is at {re.escape(address_of(first))}")
            first.process.kill()
            second.wait_for("role    leads, epoch 2")
        assert second.process.returncode == 0


def test_json_logs_are_nothing_but_json(postgres_database: str, tmp_path: Path) -> None:
    environment = {"SCHED_LOG_FORMAT": "json"}
    with start_engine(tmp_path, postgres_database, environment=environment) as engine:
        engine.wait_for("role: leads, epoch 1")
    messages = [json.loads(line)["message"] for line in engine.output.splitlines()]
    assert any(message.startswith("engine: 127.0.0.1:") for message in messages)
    assert any(message.startswith("store: postgres ") for message in messages)
    assert "secret" not in engine.output


def test_others_are_told_the_advertised_address(postgres_database: str, tmp_path: Path) -> None:
    options = ("--advertise", "engine-a.example:7000")
    with start_engine(tmp_path, postgres_database, *options) as first:
        first.wait_for(r"engine  \S+, known to others as engine-a\.example:7000")
        first.wait_for("leads, epoch")
        with start_engine(tmp_path, postgres_database) as second:
            second.wait_for(r"the leader is at engine-a\.example:7000")


def test_an_engine_for_all_networks_is_known_by_its_hosts_name(
    postgres_database: str, tmp_path: Path
) -> None:
    port = str(free_port())
    options = ("--host", "0.0.0.0", "--port", port)
    with start_engine(tmp_path, postgres_database, *options) as engine:
        engine.wait_for(f"engine  0.0.0.0:{port}, known to others as {socket.gethostname()}:{port}")


def test_a_redis_that_is_away_does_not_matter(postgres_database: str, tmp_path: Path) -> None:
    options = ("--redis-url", "127.0.0.1:1")  # as REDIS_ADDR has it
    with start_engine(tmp_path, postgres_database, *options) as engine:
        engine.wait_for("queue   Redis at 127.0.0.1:1\n")
        engine.wait_for("leads, epoch")
        engine.wait_for("Redis at 127.0.0.1:1 cannot be used")


def test_a_postgres_that_comes_late_is_waited_for(
    postgres_server: PostgresServer, stoppable_database: str, tmp_path: Path
) -> None:
    options = ("--store-wait", "20s", "--port", str(free_port()))
    postgres_server.stop()
    with start_engine(tmp_path, stoppable_database, *options) as engine:
        try:
            engine.wait_for("nothing listens there; start Postgres")
            engine.wait_for(r"Trying again for (19|20) s")
        finally:
            postgres_server.start()
        engine.wait_for("leads, epoch")
    assert "secret" not in engine.output


def test_a_signal_ends_the_wait_for_postgres(tmp_path: Path) -> None:
    with start_engine(tmp_path, "postgresql://127.0.0.1:1/orders", "--store-wait", "60") as engine:
        engine.wait_for("Trying again for")
        engine.interrupt_like_a_terminal()
        assert engine.process.returncode == 0
    assert "Traceback" not in engine.output


# --- refusing -----------------------------------------------------------------------


def test_without_a_postgres_it_names_both_ways() -> None:
    done = engine_to_its_end()
    assert done.returncode == 2
    assert "--postgres-dsn" in done.stderr
    assert "sched dev" in done.stderr


@pytest.mark.parametrize(
    ("change", "code", "told"),
    [
        (("secret-of-tests", "other-secret"), 2, "refused the password or the user 'postgres'"),
        (("/postgres", "/no_such"), 2, "it has no database 'no_such'"),
        (("//postgres:", "//nobody:"), 2, "refused the password or the user 'nobody'"),
        (("127.0.0.1", "no-such-host.invalid"), 3, "the host's name is unknown"),
        ((":{port}/", ":1/"), 3, "nothing listens there; start Postgres"),
        (("postgresql://", "postgresql//"), 2, "The Postgres DSN cannot be read"),
    ],
)
def test_a_dsn_that_leads_nowhere(
    postgres_server: PostgresServer, change: tuple[str, str], code: int, told: str
) -> None:
    dsn = postgres_server.dsn
    port = dsn.rpartition(":")[2].partition("/")[0]
    wrong = change[1].join(dsn.rsplit(change[0].format(port=port), 1))
    done = engine_to_its_end(environment={"SCHED_POSTGRES_DSN": wrong})
    assert done.returncode == code, done.stderr
    assert told in done.stderr
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert "secret" not in done.stderr


def test_a_schema_that_is_older_or_newer(postgres_database: str) -> None:
    environment = {"SCHED_POSTGRES_DSN": postgres_database}
    done = engine_to_its_end(environment=environment)
    assert done.returncode == 2
    assert "has no sched schema yet" in done.stderr
    assert "Run `sched migrate up`, or start the engine with --migrate" in done.stderr

    assert sched_in_process("migrate", "up", environment=environment).returncode == 0
    later = len(load_migrations(migrations_directory("postgres"))) + 1
    with psycopg.connect(postgres_database) as connection:
        connection.execute(
            "INSERT INTO sched.sched_migrations (version, name, checksum) "
            "VALUES (%s, 'later', 'x')",
            (later,),
        )
    done = engine_to_its_end("--migrate", environment=environment)
    assert done.returncode == 2
    assert f"written by a newer sched: its schema version is {later}" in done.stderr
    assert "Upgrade sched" in done.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--redis-url", "http://:hush@cache:6379"), "Not a Redis URL with scheme 'http'"),
        (("--redis-url", "cache:port"), "Not a Redis URL"),
        (("--lock-key", "first"), "--lock-key 'first' is no 64-bit integer"),
        (("--lock-key", str(2**63)), "is no 64-bit integer"),
        (("--advertise", "a/b"), "'a/b' is no engine address"),
        (("--advertise", "a:1,b:1"), "names 2 addresses"),
        (("--host", "0.0.0.0"), "add --advertise HOST:PORT"),
        (("--port", "70000"), "error: --port '70000' is too large; the most is 65535."),
    ],
)
def test_options_that_cannot_be_used(options: tuple[str, ...], told: str) -> None:
    environment = {"SCHED_POSTGRES_DSN": "postgresql://127.0.0.1:1/orders"}
    done = engine_to_its_end(*options, environment=environment)
    assert done.returncode == 2, done.stderr
    assert told in " ".join(done.stderr.split())
    assert "hush" not in done.stderr


def test_a_port_that_is_taken(postgres_database: str, tmp_path: Path) -> None:
    running, address = start_dev(tmp_path, "--db", ":memory:")
    with running:
        port = address.rpartition(":")[2]
        done = engine_to_its_end(
            *("--port", port), environment={"SCHED_POSTGRES_DSN": postgres_database}
        )
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {address} cannot be used")
