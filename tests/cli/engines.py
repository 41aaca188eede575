"""`sched engine`, started as people start it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.cli.support import Running

if TYPE_CHECKING:
    from pathlib import Path


def start_engine(
    cwd: Path, dsn: str, *options: str, environment: dict[str, str] | None = None
) -> Running:
    """An engine on free ports; it makes the schema if there is none."""
    ports = ("--port", "0", "--metrics-port", "0")
    variables = {"SCHED_POSTGRES_DSN": dsn, **(environment or {})}
    return Running("engine", "--migrate", *ports, *options, cwd=cwd, environment=variables)


def address_of(engine: Running) -> str:
    """Where it serves."""
    return engine.wait_for(r"engine\s+(127\.0\.0\.1:\d+)").group(1)
