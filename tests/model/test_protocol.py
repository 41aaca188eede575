"""The protocol, in every order of events; and without each of its guards."""

from __future__ import annotations

import pytest

from .explorer import explore
from .guards import GUARDS
from .invariants import INVARIANTS
from .protocol import Protocol
from .telling import told

DENSE = "no event id is written twice or skipped"
CURRENT = "a leader's answer knows every acknowledged operation"

BREAKS = {
    "fence": "no commit succeeds after the next epoch has begun",
    "fence lock": "no commit succeeds after the next epoch has begun",
    "raise before read": CURRENT,
    "lease before commit": CURRENT,
    "lease after read": CURRENT,
    "silence": CURRENT,
    "own epoch": CURRENT,
    "raise before look": "an operation that was denied is not in the store",
    "look": "an acknowledged operation is in the store",
    "commit before reply": "an acknowledged operation is in the store",
    "forget": "a leader's answer knows only what is in the store",
}
"""What is wrong first when a guard is missing."""


@pytest.mark.parametrize(("engines", "operations"), [(3, 1), (2, 2)])
def test_every_invariant_holds_and_a_leader_can_always_come(engines: int, operations: int) -> None:
    found = explore(Protocol(engines=engines, operations=operations), graph=True)
    assert found.problem is None, told(found)
    assert found.states > 10_000  # the model was not cut short
    assert found.cannot_reach(Protocol.serves) == []


@pytest.mark.parametrize("guard", BREAKS)
def test_a_missing_guard_is_found(guard: str) -> None:
    found = explore(Protocol(engines=2, operations=2, removed=frozenset({guard})))
    assert found.problem is not None, f"nothing breaks without: {GUARDS[guard]}"
    print(f"without the guard that {GUARDS[guard]}:\n{told(found)}")
    assert found.problem == f"not true any more: {BREAKS[guard]}"
    assert found.trace


def test_the_expected_event_id_is_a_second_line() -> None:
    """Alone it is not needed. Should a late commit come through, it keeps the ids right."""
    dense = frozenset({DENSE})
    first = frozenset({"raise before look"})
    kept = explore(Protocol(engines=2, operations=2, removed=first, invariants=dense))
    assert kept.problem is None, told(kept)
    both = first | {"expected event id"}
    lost = explore(Protocol(engines=2, operations=2, removed=both, invariants=dense))
    assert lost.problem is not None
    print(told(lost))
    assert BREAKS.keys() | {"expected event id"} == GUARDS.keys()


def test_a_foreign_end_of_a_healthy_leaders_session_costs_fresh_reads_only() -> None:
    """A known limit, told in docs/protocol.md: nothing that is written is affected."""
    stale = explore(Protocol(engines=2, operations=1, foreign_ends=True))
    assert stale.problem == f"not true any more: {CURRENT}"
    others = frozenset(INVARIANTS) - {CURRENT}
    found = explore(Protocol(engines=2, operations=1, foreign_ends=True, invariants=others))
    assert found.problem is None, told(found)


def test_unknown_guards_are_refused() -> None:
    with pytest.raises(ValueError, match="no such guards"):
        Protocol(engines=2, operations=1, removed=frozenset({"luck"}))
