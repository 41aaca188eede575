"""Somebody else migrates the database, or hangs while doing so, when we start."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg

from sched_server.store.postgres.schema import MIGRATION_LOCK
from tests.cli.engines import start_engine
from tests.cli.support import Running, sched_in_process, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def held(dsn: str) -> Iterator[int]:
    """The lock of migrations, in a session of another program; its process id."""
    with psycopg.connect(dsn, autocommit=True, application_name="their migration") as other:
        other.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
        yield other.info.backend_pid


def test_engines_wait_say_so_and_go_on(postgres_database: str, tmp_path: Path) -> None:
    with held(postgres_database) as pid:
        first = start_engine(tmp_path, postgres_database)
        second = start_engine(tmp_path, postgres_database)
        by_hand = Running(*("migrate", "up", "--postgres-dsn", postgres_database), cwd=tmp_path)
        waiting = (first, second, by_hand)
        for each in waiting:
            each.wait_for(rf"is being migrated by session {pid} \(their migration\); waiting")
            assert "leads" not in each.output
    with first, second, by_hand:
        for each in waiting:
            each.wait_for("the other migration has ended, going on")
        assert by_hand.process.wait(timeout=60) == 0
        wait_until(lambda: "leads, epoch 1" in first.output + second.output, "one of them leads")
        assert "Traceback" not in first.output + second.output


def test_it_gives_up_with_the_next_step(postgres_database: str) -> None:
    with held(postgres_database) as pid:
        done = sched_in_process(
            *("engine", "--migrate", "--port", "0", "--metrics-port", "0", "--store-wait", "200ms"),
            environment={"SCHED_POSTGRES_DSN": postgres_database},
        )
    assert done.returncode == 3
    assert done.stderr.startswith("error: postgres ")
    assert f"is still being migrated by session {pid} (their migration), after 0.2 s" in done.stderr
    assert f"if it hangs, end it with SELECT pg_terminate_backend({pid})" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_signal_ends_the_wait(postgres_database: str, tmp_path: Path) -> None:
    with (
        held(postgres_database),
        start_engine(tmp_path, postgres_database, "--store-wait", "60") as engine,
    ):
        engine.wait_for("is being migrated by session")
        engine.interrupt_like_a_terminal()
        assert engine.process.returncode == 0
    assert "Traceback" not in engine.output
