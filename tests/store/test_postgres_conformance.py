"""The conformance suite on Postgres."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from sched_server.store.port import Store
from sched_server.store.postgres import PostgresStore
from tests.store.conformance import DurableStoreConformance


class TestPostgres(DurableStoreConformance):
    @pytest.fixture
    async def store(self, postgres_dsn: str, postgres_schema: str) -> AsyncIterator[PostgresStore]:
        store = PostgresStore(postgres_dsn, schema=postgres_schema, migrate=True)
        await store.open()
        yield store
        await store.close()

    @pytest.fixture
    async def reopen(self, store: PostgresStore) -> Callable[[], Awaitable[Store]]:
        async def close_and_open() -> Store:
            await store.close()
            await store.open()
            return store

        return close_and_open
