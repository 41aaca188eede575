"""What the driver raises, as the port's errors and in sentences for people.

Three kinds matter to a commit. If the server answered with an error and the
connection lives, the statement was rolled back: a value that it does not take
(StoreDataError), something that passes by itself (tried again), or a state
that somebody must change (StoreUnavailableError). If the connection is gone,
the outcome is unknown, and `writer.py` finds it out.

Messages never contain the password: descriptions are made from the DSN's other
parts, and it is cut out of whatever the driver says.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import psycopg
from psycopg import conninfo
from psycopg_pool import PoolClosed, PoolTimeout

from sched_server.store.port import (
    StoreDataError,
    StoreError,
    StoreRefusedError,
    StoreUnavailableError,
    StoreVersionError,
)

if TYPE_CHECKING:
    from psycopg import AsyncConnection

__all__ = [
    "check_version",
    "connect_error",
    "describe",
    "driver_message",
    "is_broken",
    "parse_dsn",
    "passes",
    "store_error",
]

OLDEST_VERSION = 15

_DATA_CLASSES = frozenset(("22", "23", "54"))
"""Data exceptions, integrity violations, program limits."""

_PASSING_CODES = frozenset(
    (
        "40001",  # serialization failure
        "40P01",  # deadlock
        "0A000",  # a cached plan must not change its result: the schema was changed
        "26000",  # a prepared statement is not there: somebody discarded it
    )
)

_TAMPERED_CODE = "22012"
"""Division by zero: how the batch statement says that a row changed under it."""

_REMEDIES = {
    _TAMPERED_CODE: "somebody else than this engine changes its rows; find out who",
    "53100": "its disk is full; free some space",
    "53200": "it is out of memory; give it more, or less to do",
    "53300": "it has no free connection; raise max_connections, or stop other programs",
    "55P03": "another session holds a lock that we need; end that session",
    "57014": "a statement took longer than its time limit; look what the server is busy with",
    "25006": "it takes no writes; name the primary server in the DSN",
    "42501": "the role lacks a privilege; grant it",
    "42P01": "a table of sched is missing; restore it from a backup",
}

_MISTAKES = (
    ("password authentication failed", "it refused the password or the user {user!r}; check both"),
    ("no password supplied", "it asks for a password; put one into the DSN or into PGPASSWORD"),
    ("no pg_hba.conf entry", "its pg_hba.conf does not let {user!r} in from here; add an entry"),
    ("permission denied for database", "{user!r} may not use the database; grant CONNECT"),
    ("not permitted to log in", "{user!r} may not log in; alter the role, or name another"),
    # With the quote, or "the database system is starting up" would be one of them.
    ('role "', "it has no role {user!r}; create it, or name another in the DSN"),
    ('database "', "it has no database {dbname!r}; create it, or name another in the DSN"),
    ("does not support ssl", "it does not speak TLS; set sslmode=prefer in the DSN"),
    ("connection is bad: invalid", "the DSN has a value that cannot be used; correct it"),
    ("certificate", "its certificate is not accepted; check sslrootcert and sslmode"),
)
"""Why it does not let us in until somebody corrects something, and what: by a
part of the message in lower case; the first that fits."""

_TROUBLES = (
    ("connection refused", "nothing listens there; start Postgres, or correct the DSN"),
    ("no such file", "nothing listens there; start Postgres, or correct the DSN"),
    ("failed to resolve", "the host's name is unknown; correct the DSN"),
    ("timeout", "it does not answer; check the network, or correct the DSN"),
    ("too many clients", "it has no free connection; raise max_connections"),
    ("remaining connection slots", "it has no free connection; raise max_connections"),
    ("starting up", "it is starting; try again in a moment"),
    ("shutting down", "it is shutting down; try again in a moment"),
    ("in recovery mode", "it is recovering from a crash; try again in a moment"),
)
"""The same for what may pass by itself."""


def parse_dsn(dsn: str) -> dict[str, str]:
    """The parts of a DSN. Raises StoreRefusedError, which does not repeat it."""
    try:
        if _splits_in_the_password(dsn):
            raise psycopg.ProgrammingError
        parts = conninfo.conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        # The driver's own message would quote parts of the DSN.
        raise StoreRefusedError(
            "The Postgres DSN cannot be read. It looks like postgresql://user:password@host:5432/"
            "database, with special characters of the password written as %40 and the like."
        ) from None
    return {name: str(value) for name, value in parts.items() if value is not None}


def _splits_in_the_password(dsn: str) -> bool:
    """Whether a URL has an @ or a / in its password as it is. The driver would take
    what follows for the host or the database, which messages name."""
    user_and_password, at, _ = dsn.partition("://")[2].partition("?")[0].rpartition("@")
    return bool(at) and ("@" in user_and_password or "/" in user_and_password)


def describe(parts: dict[str, str]) -> str:
    """The server for people: "postgres db.example:5432/orders"."""
    host = parts.get("host") or parts.get("hostaddr") or "localhost"
    port = parts.get("port")
    database = parts.get("dbname") or parts.get("user") or ""
    return f"postgres {host}{f':{port}' if port else ''}{f'/{database}' if database else ''}"


def connect_error(error: psycopg.Error, parts: dict[str, str]) -> StoreUnavailableError:
    """Why there is no connection."""
    said = driver_message(error, parts)
    where = f"Cannot connect to {describe(parts)}"
    names = {"user": parts.get("user", ""), "dbname": parts.get("dbname", "")}
    if remedy := _remedy(_MISTAKES, said):
        return StoreRefusedError(f"{where}: {remedy.format(**names)} ({said}).")
    return StoreUnavailableError(f"{where}: {_remedy(_TROUBLES, said) or 'try again'} ({said}).")


def _remedy(table: tuple[tuple[str, str], ...], said: str) -> str:
    lower = said.lower()
    return next((remedy for mark, remedy in table if mark in lower), "")


def check_version(server_version: int, store: str) -> None:
    """Refuse a server that is too old. `server_version` is 150004 for 15.4."""
    if server_version // 10000 < OLDEST_VERSION:
        raise StoreVersionError(
            f"{store} is Postgres {server_version // 10000}; sched needs {OLDEST_VERSION} or newer."
        )


def is_broken(error: BaseException, connection: AsyncConnection) -> bool:
    """Whether the connection is lost, so that the outcome of what it was asked
    to do is unknown."""
    if connection.closed or connection.broken:
        return True
    if not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return False
    code = error.sqlstate
    # 57P: the server shuts down, crashed, or somebody ended this session.
    return code is None or code.startswith(("08", "57P"))


def passes(error: BaseException) -> bool:
    """Whether the same statement may succeed if it is simply sent again."""
    return isinstance(error, psycopg.Error) and error.sqlstate in _PASSING_CODES


def store_error(error: BaseException, parts: dict[str, str]) -> BaseException:
    """The port's error for `error`, or `error` itself if it is not about the database."""
    store = describe(parts)
    translated: StoreError
    match error:
        case PoolTimeout():
            translated = StoreUnavailableError(
                f"{store}: no connection became free in time; the server is away or overloaded."
            )
        case PoolClosed():
            translated = StoreUnavailableError(f"{store} is not open.")
        case psycopg.Error() if _is_data_error(error):
            translated = StoreDataError(f"{store} refused a value: {driver_message(error, parts)}.")
        case psycopg.Error():
            lost = "the connection was lost; try again"
            remedy = _REMEDIES.get(error.sqlstate, "try again") if error.sqlstate else lost
            translated = StoreUnavailableError(
                f"{store}: {remedy} ({driver_message(error, parts)})."
            )
        case struct.error() | OverflowError() | UnicodeEncodeError():
            translated = StoreDataError(f"{store} takes no such value: {error}.")
        case _:
            return error
    translated.__cause__ = error
    return translated


def _is_data_error(error: psycopg.Error) -> bool:
    code = error.sqlstate
    if code is None:  # the driver refused it before the server could
        return isinstance(error, psycopg.DataError)
    return code[:2] in _DATA_CLASSES and code != _TAMPERED_CODE


def driver_message(error: psycopg.Error, parts: dict[str, str]) -> str:
    """The driver's words, on one line and without the password."""
    text = error.diag.message_primary or str(error) or type(error).__name__
    line = " ".join(text.split()).rstrip(".")
    password = parts.get("password")
    return line.replace(password, "…") if password else line
