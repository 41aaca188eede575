"""Looking after the schema of a database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_server.store.migration import AppliedMigration, MigrationStep, Migrator
from sched_server.store.port import StoreLockedError
from sched_server.store.postgres import schema
from sched_server.store.postgres import statements as sql
from sched_server.store.postgres.connection import (
    DEFAULT_SCHEMA,
    Connector,
    fetch,
    fetch_one,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["PostgresMigrator"]


class PostgresMigrator(Migrator):
    """Raises StoreRefusedError for a DSN that cannot be read."""

    def __init__(self, dsn: str, *, schema_name: str = DEFAULT_SCHEMA) -> None:
        self._dsn = dsn
        self._connector = Connector(dsn, schema=schema_name)
        super().__init__(self._connector.description, schema.known_migrations())

    async def migrate(self, target: int | None = None) -> list[MigrationStep]:
        return await schema.migrate_database(
            self._dsn, schema=self._connector.schema, target=target, known=self._known
        )

    async def count_rows(self, tables: Sequence[str]) -> dict[str, int]:
        counts: dict[str, int] = {}
        async with schema.migration_session(self._connector) as connection:
            for table in tables:
                row = await fetch_one(connection, sql.COUNT_ROWS.format(table=table))
                counts[table] = row[0] if row else 0
        return counts

    async def check_unused(self) -> None:
        async with schema.migration_session(self._connector) as connection:
            if not await schema.applied_migrations(connection, self._connector):
                return
            engines = [address for (address,) in await fetch(connection, sql.LIVE_ENGINES)]
        if engines:
            raise StoreLockedError(
                f"{self.description} is in use by {_counted(engines)} ({', '.join(engines)}). "
                "Stop every engine first."
            )

    async def _applied(self) -> list[AppliedMigration]:
        async with schema.migration_session(self._connector) as connection:
            return await schema.applied_migrations(connection, self._connector)


def _counted(engines: Sequence[str]) -> str:
    return "an engine" if len(engines) == 1 else f"{len(engines)} engines"
