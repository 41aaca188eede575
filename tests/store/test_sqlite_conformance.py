"""The conformance suite on SQLite, in a file and in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from sched_server.store.port import Store
from sched_server.store.sqlite import MEMORY, SqliteStore
from tests.store.conformance import DurableStoreConformance, StoreConformance


class TestSqliteFile(DurableStoreConformance):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[SqliteStore]:
        store = SqliteStore(tmp_path / "sched.db")
        await store.open()
        yield store
        await store.close()

    @pytest.fixture
    async def reopen(self, store: SqliteStore) -> Callable[[], Awaitable[Store]]:
        async def close_and_open() -> Store:
            await store.close()
            await store.open()
            return store

        return close_and_open


class TestSqliteMemory(StoreConformance):
    @pytest.fixture
    async def store(self) -> AsyncIterator[SqliteStore]:
        store = SqliteStore(MEMORY)
        await store.open()
        yield store
        await store.close()
