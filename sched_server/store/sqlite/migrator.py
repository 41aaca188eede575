"""Looking after the schema of a database file, while no engine uses it."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from sched_server.store.migration import AppliedMigration, MigrationStep, Migrator
from sched_server.store.sqlite import schema
from sched_server.store.sqlite.connection import connect, switch_to_wal
from sched_server.store.sqlite.failures import end_process, store_error
from sched_server.store.sqlite.files import StoreLock, check_database_file, prepare_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["SqliteMigrator"]

_BUSY_TIMEOUT_S = 5.0


class SqliteMigrator(Migrator):
    """`path` need not exist: then nothing is applied, and `migrate` makes it."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"sqlite {path}", schema.known_migrations())
        self._path = path.resolve()

    async def migrate(self, target: int | None = None) -> list[MigrationStep]:
        with self._translated():
            prepare_folder(self._path)
            check_database_file(self._path)
            schema.check_store(self._path, self._known)
            lock = StoreLock(self._path)
            lock.acquire()
            try:
                return self._migrate(target)
            finally:
                lock.release()

    def _migrate(self, target: int | None) -> list[MigrationStep]:
        with closing(connect(str(self._path), busy_timeout_s=_BUSY_TIMEOUT_S)) as connection:
            switch_to_wal(connection, self.description)
            return schema.migrate(
                connection,
                self._known,
                store=self.description,
                fatal=end_process,
                target=target,
            )

    async def count_rows(self, tables: Sequence[str]) -> dict[str, int]:
        with self._translated(), self._reading() as connection:
            return {
                table: connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0]  # noqa: S608 - names from our own files
                for table in tables
            }

    async def check_unused(self) -> None:
        if self._path.exists():
            lock = StoreLock(self._path)
            lock.acquire()
            lock.release()

    async def _applied(self) -> list[AppliedMigration]:
        if not self._path.exists() or self._path.stat().st_size == 0:
            return []
        with self._translated(), self._reading() as connection:
            return schema.applied_migrations(connection, self.description)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        check_database_file(self._path)
        with closing(schema.connect_to_look(self._path)) as connection:
            yield connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise store_error(error, self.description) from error
