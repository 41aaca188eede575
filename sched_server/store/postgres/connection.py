"""Connections: how they are made, what each session is told, and what kind of
server is taken."""

from __future__ import annotations

import os
import re
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psycopg
from msgspec import Struct
from psycopg import AsyncConnection, AsyncRawCursor

from sched_server.store.port import StoreRefusedError, StoreVersionError
from sched_server.store.postgres import statements as sql
from sched_server.store.postgres.arrays import register_arrays
from sched_server.store.postgres.failures import (
    check_version,
    connect_error,
    describe,
    parse_dsn,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "DEFAULT_SCHEMA",
    "Connector",
    "SessionLimits",
    "cut",
    "fetch",
    "fetch_one",
]

DEFAULT_SCHEMA = "sched"

# The DSN may say otherwise. A connection whose other side has vanished (a pulled
# cable, a frozen machine) is noticed within about ten seconds.
_DEFAULTS = {
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}

_FSYNC_IS_OFF = (
    "fsync is switched off: a power failure loses what was acknowledged, and may destroy the "
    "database; set fsync = on in postgresql.conf"
)

_SCHEMA_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")


class SessionLimits(Struct, frozen=True, kw_only=True):
    """How long the server lets a statement of a session take; 0: for ever."""

    statement_s: float = 30.0
    lock_s: float = 5.0


class Connector:
    """Makes connections to one database and schema.

    Raises StoreRefusedError for a DSN that cannot be read, and a schema whose name
    would need quotes.
    """

    def __init__(self, dsn: str, *, schema: str = DEFAULT_SCHEMA) -> None:
        if _SCHEMA_NAME.fullmatch(schema) is None:
            raise StoreRefusedError(
                f"{schema!r} cannot be the name of a schema; use at most 63 lower-case letters, "
                "digits and underscores."
            )
        self.parts = parse_dsn(dsn)
        self.schema = schema
        self.description = describe(self.parts)

    async def connect(
        self,
        application_name: str,
        *,
        limits: SessionLimits = SessionLimits(),  # noqa: B008 - frozen
        **overrides: str,
    ) -> AsyncConnection:
        """A session as ours have to be. Raises StoreUnavailableError and StoreVersionError."""
        connection = await self.connect_raw(**overrides)
        try:
            check_version(connection.info.server_version, self.description)
            await self.configure(connection, application_name, limits)
        except BaseException as error:
            await connection.close()
            if isinstance(error, psycopg.Error):
                raise connect_error(error, self.parts) from error
            raise
        return connection

    async def connect_raw(self, **overrides: str) -> AsyncConnection:
        """A connection that was told nothing yet. Raises StoreUnavailableError."""
        try:
            return await AsyncConnection.connect(**self.keywords(**overrides))
        except psycopg.Error as error:
            raise connect_error(error, self.parts) from error

    def keywords(self, **overrides: str) -> dict[str, Any]:
        """What the driver is given; the DSN wins over our defaults. Statements are
        prepared when they are first used, and each is a transaction of its own."""
        return {
            **_DEFAULTS,
            **self.parts,
            "client_encoding": "UTF8",
            **overrides,
            "autocommit": True,
            "prepare_threshold": 0,
            "cursor_factory": AsyncRawCursor,
        }

    async def configure(
        self, connection: AsyncConnection, application_name: str, limits: SessionLimits
    ) -> None:
        """Make a session independent of what the server, the database and the
        role have set."""
        await connection.execute(
            sql.CONFIGURE_SESSION,
            [
                f'"{self.schema}"',
                _milliseconds(limits.statement_s),
                _milliseconds(limits.lock_s),
                application_name,
            ],
        )
        # The driver sends the text of each statement once and its name from then on.
        connection.prepared_max = 200
        register_arrays(connection)

    async def check_server(self, connection: AsyncConnection) -> tuple[str, ...]:
        """Refuse a server that cannot hold a store. Returns what else should be set
        otherwise. Raises StoreVersionError and StoreRefusedError."""
        row = await fetch_one(connection, sql.DESCRIBE_SERVER)
        assert row is not None
        encoding, read_only, fsync = row
        if encoding != "UTF8":
            raise StoreVersionError(
                f"{self.description} stores text as {encoding}; sched needs a database with the "
                "encoding UTF8 (createdb --encoding=UTF8 --template=template0)."
            )
        if read_only == "on":
            raise StoreRefusedError(
                f"{self.description} takes no writes: it is a replica, or set to read only. Name "
                "the primary server, or several hosts with target_session_attrs=read-write."
            )
        return (_FSYNC_IS_OFF,) if fsync == "off" else ()


def cut(connection: AsyncConnection) -> None:
    """End a connection under the hands of whoever waits for it; they get an
    error at once. Waiting for the server in order to say good-bye, as closing
    and cancelling do, could take as long as the network is away."""
    with suppress(psycopg.Error, OSError):
        descriptor = connection.pgconn.socket
        with socket.socket(fileno=os.dup(descriptor)) as copy:
            copy.shutdown(socket.SHUT_RDWR)


async def fetch(
    connection: AsyncConnection,
    statement: str,
    parameters: Sequence[Any] = (),
    *,
    prepare: bool = True,
) -> list[tuple[Any, ...]]:
    """All rows of a statement."""
    async with connection.cursor(binary=True) as cursor:
        await cursor.execute(statement, parameters, prepare=prepare)
        return await cursor.fetchall()


async def fetch_one(
    connection: AsyncConnection, statement: str, parameters: Sequence[Any] = ()
) -> tuple[Any, ...] | None:
    """The first row of a statement."""
    async with connection.cursor(binary=True) as cursor:
        await cursor.execute(statement, parameters)
        return await cursor.fetchone()


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))
