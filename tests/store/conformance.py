"""What every store owes the engine.

To put an adapter under test, derive from `StoreConformance` and give it a
fixture `store` that yields an open, empty store. `DurableStoreConformance`
also needs a fixture `reopen`: an async function that closes the store and
returns it open again.
"""

from __future__ import annotations

from tests.store.suites.commits import CommitContract
from tests.store.suites.details import DetailsContract
from tests.store.suites.durability import DurabilityContract
from tests.store.suites.history import HistoryContract
from tests.store.suites.leases import LeaseContract
from tests.store.suites.lists import ListContract
from tests.store.suites.open_runs import OpenRunContract
from tests.store.suites.runs import RunContract
from tests.store.suites.tasks import TaskContract
from tests.store.suites.timers import TimerContract
from tests.store.suites.values import ValueContract

__all__ = ["DurableStoreConformance", "StoreConformance"]


class StoreConformance(
    LeaseContract,
    CommitContract,
    OpenRunContract,
    ValueContract,
    RunContract,
    HistoryContract,
    DetailsContract,
    TaskContract,
    TimerContract,
    ListContract,
):
    """Everything that holds while a store is open."""


class DurableStoreConformance(StoreConformance, DurabilityContract):
    """And what holds after it was closed and opened again."""
