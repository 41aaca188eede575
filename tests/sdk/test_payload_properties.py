"""Whatever hypothesis makes comes back, and what comes back stays."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import math
import uuid
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sched_sdk._payloads import decode, encode
from sched_sdk.errors import PayloadError


class Suit(enum.Enum):
    SPADES = "♠"
    HEARTS = "♥"


@dataclasses.dataclass
class Leaf:
    number: int | None
    text: str
    suit: Suit
    amount: decimal.Decimal
    span: datetime.timedelta


@dataclasses.dataclass
class Tree:
    leaves: list[Leaf]
    by_id: dict[uuid.UUID, datetime.datetime]
    days: frozenset[datetime.date]
    pair: tuple[bytes, datetime.time]
    below: list[Tree]


text = st.text(st.characters(exclude_categories=["Cs"]))
offsets = st.integers(-23 * 60, 23 * 60).map(
    lambda minutes: datetime.timezone(datetime.timedelta(minutes=minutes))
)
# An aware time within a day of the calendar's ends has no UTC equivalent.
moments = st.datetimes(
    min_value=datetime.datetime(2, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime.datetime(9998, 12, 31),  # noqa: DTZ001 - as above
    timezones=st.one_of(st.none(), offsets),
)
leaves = st.builds(
    Leaf,
    number=st.none() | st.integers(),
    text=text,
    suit=st.sampled_from(Suit),
    amount=st.decimals(allow_nan=False, allow_infinity=False),
    span=st.timedeltas(),
)
trees = st.recursive(
    st.builds(
        Tree,
        leaves=st.lists(leaves, max_size=3),
        by_id=st.dictionaries(st.uuids(), moments, max_size=3),
        days=st.frozensets(st.dates(), max_size=3),
        pair=st.tuples(st.binary(), st.times()),
        below=st.just([]),
    ),
    lambda children: st.builds(
        Tree,
        leaves=st.just([]),
        by_id=st.just({}),
        days=st.just(frozenset()),
        pair=st.just((b"", datetime.time())),
        below=st.lists(children, max_size=3),
    ),
    max_leaves=4,
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | text,
    lambda inner: st.lists(inner) | st.dictionaries(text, inner),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=60, deadline=None, derandomize=True)
@given(trees)
def test_typed_values_round_trip(tree: Tree) -> None:
    assert decode(encode(tree), Tree) == tree


@settings(max_examples=100, deadline=None, derandomize=True)
@given(json_values)
def test_json_values_round_trip(value: Any) -> None:
    assert decode(encode(value)) == value


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.binary())
def test_bytes_round_trip(value: bytes) -> None:
    assert decode(encode(value), bytes) == value


def _put_somewhere(value: Any, number: float) -> Any:
    """The value with the number hidden behind its last branch."""
    if isinstance(value, list):
        return [*value[:-1], _put_somewhere(value[-1], number) if value else number]
    if isinstance(value, dict):
        return {**value, "last": _put_somewhere(value.get("last"), number)}
    return number


@settings(max_examples=60, deadline=None, derandomize=True)
@given(json_values, st.sampled_from([math.nan, math.inf, -math.inf]))
def test_no_number_is_silently_lost(value: Any, number: float) -> None:
    with pytest.raises(PayloadError, match=r"^\$.*cannot be sent"):
        encode(_put_somewhere(value, number))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(json_values, st.sampled_from([int, list[Leaf], dict[str, int], Leaf, Tree]))
def test_reading_any_json_as_any_type_fits_or_says_why(value: Any, annotation: Any) -> None:
    try:
        result = decode(encode(value), annotation)
    except PayloadError:
        return
    assert encode(decode(encode(result), annotation)) == encode(result)
