"""What can be sent comes back as its annotation says."""

from __future__ import annotations

import collections
import dataclasses
import enum
import pathlib
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NoReturn,
    NotRequired,
    TypedDict,
    TypeVar,
)

import attrs
import msgspec
import pydantic
import pytest

from sched_sdk._payloads import decode, decoder_for, encode, encode_all
from sched_sdk.api.v1 import common_pb2

T = TypeVar("T")


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Access(enum.IntFlag):
    READ = 1
    WRITE = 2


@dataclasses.dataclass
class Item:
    name: str
    price: Decimal
    count: int = 1


@dataclasses.dataclass(frozen=True, slots=True)
class Order:
    id: uuid.UUID
    items: list[Item]
    at: datetime
    _note: str = ""


@dataclasses.dataclass
class Box(Generic[T]):
    value: T


class Point(NamedTuple):
    x: int
    y: int = 0


class Movie(TypedDict):
    title: str
    year: NotRequired[int]


class Event(msgspec.Struct, tag=True):
    at: date


class Reminder(msgspec.Struct, tag=True):
    text: str


@attrs.define
class Account:
    owner: str
    balance: Decimal = Decimal(0)


class User(pydantic.BaseModel):
    name: str
    born: date
    scores: dict[int, float] = {}


class Guest(pydantic.BaseModel):
    label: str


class Aliased(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", strict=True)

    user_name: str = pydantic.Field(alias="userName")
    due: date

    @pydantic.computed_field  # type: ignore[prop-decorator]  # how pydantic documents it
    @property
    def shout(self) -> str:
        return self.user_name.upper()


class Email(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "someone else"


class Moment(datetime):
    pass


MOMENT = datetime(2026, 11, 1, 8, 30, 1, 250, tzinfo=UTC)
ID = uuid.UUID("12345678-1234-5678-1234-567812345678")
ORDER = Order(ID, [Item("pen", Decimal("1.10")), Item("ink", Decimal("12.00"), 3)], MOMENT, "gift")
USER = User(name="Ada", born=date(1815, 12, 10), scores={1: 0.5})

CASES: list[tuple[Any, Any]] = [
    (None, None),
    (True, bool),
    (0, int),
    (2**70, int),
    (1.5, float),
    ("zażółć \0 null", str),
    (Decimal("1.100"), Decimal),
    (MOMENT, datetime),
    (datetime(2026, 11, 1, tzinfo=UTC).replace(tzinfo=None), datetime),
    (datetime(2026, 11, 1, tzinfo=timezone(timedelta(hours=-5, minutes=-30))), datetime),
    (date(2026, 11, 1), date),
    (time(8, 30, 0, 1), time),
    (timedelta(days=-3, microseconds=5), timedelta),
    (ID, uuid.UUID),
    (Color.RED, Color),
    (Level.HIGH, Level),
    (Access.READ | Access.WRITE, Access),
    ([1, 2], list[int]),
    ((1, "x"), tuple[int, str]),
    ((1, 2, 3), tuple[int, ...]),
    ({1, 2}, set[int]),
    (frozenset({"a"}), frozenset[str]),
    ({1: "a", 2: "b"}, dict[int, str]),
    ({ID: MOMENT}, dict[uuid.UUID, datetime]),
    ({Color.RED: Level.LOW}, dict[Color, Level]),
    ({date(2026, 1, 1): [None, 2]}, Mapping[date, Sequence[int | None]]),
    ({"a": b"\x00\xff"}, dict[str, bytes]),
    ("a", Literal["a", "b"]),
    (None, int | None),
    (3, int | str),
    ("3", int | str),
    (7, Annotated[int, msgspec.Meta(ge=0)]),
    (ORDER, Order),
    ([ORDER, ORDER], list[Order]),
    (Box(Box(3)), Box[Box[int]]),
    (Point(1, 2), Point),
    ({"title": "Alien"}, Movie),
    (Event(date(2026, 1, 1)), Event | Reminder),
    (Reminder("milk"), Event | Reminder),
    (Account("ada", Decimal("2.5")), Account),
    (USER, User),
    ([USER, None], list[User | None]),
    ({"a": (USER, 1)}, dict[str, tuple[User, int]]),
    (Guest(label="x"), User | Guest),
    ([Guest(label="x"), USER, 3], list[User | Guest | int]),
    (Aliased(userName="ada", due=date(2026, 1, 1)), Aliased),
    (pathlib.PurePosixPath("/tmp/x"), pathlib.PurePosixPath),
    (collections.deque([date(2026, 1, 1)]), collections.deque[date]),
    (collections.OrderedDict({2: date(2026, 1, 1)}), collections.OrderedDict[int, date]),
    ({"a": [1, {"b": None}]}, Any),
    ([1, 2.5, "x"], list[Any]),
    (b"raw", bytes),
    (bytearray(b"raw"), bytearray),
    (b"raw", bytes | None),
    (None, bytes | None),
    (b"raw", bytes | str),
    ("text", bytes | str),
    (b"raw", Any),
]


@pytest.mark.parametrize(("value", "annotation"), CASES, ids=repr)
def test_comes_back_as_annotated(value: Any, annotation: Any) -> None:
    result = decode(encode(value), annotation)
    assert result == value
    assert type(result) is type(value)


def test_values_of_plain_subclasses_travel_as_the_plain_type() -> None:
    assert encode(Email("a@example.com")).data == b'"a@example.com"'
    assert decode(encode(Email("a@example.com")), str) == "a@example.com"
    restored = decode(encode([Email("a@example.com")]), list[Email])
    assert type(restored[0]) is Email
    assert restored[0] == "a@example.com"
    assert decode(encode(Moment(2026, 1, 1, tzinfo=UTC)), datetime) == datetime(
        2026, 1, 1, tzinfo=UTC
    )


def test_a_decimal_that_is_no_number_travels_as_text() -> None:
    assert decode(encode({"a": Decimal("NaN")}), dict[str, Decimal])["a"].is_nan()


def test_json_is_the_default_and_bytes_go_as_they_are() -> None:
    assert encode({"a": 1}) == common_pb2.Payload(data=b'{"a":1}')
    assert encode(memoryview(b"xy")) == common_pb2.Payload(encoding="binary", data=b"xy")


def test_bytes_sent_as_json_by_other_clients_are_base64() -> None:
    assert decode(common_pb2.Payload(encoding="json", data=b'"cmF3"'), bytes) == b"raw"


def test_without_annotation_json_types_come_out() -> None:
    assert decode(encode(ORDER))["at"] == "2026-11-01T08:30:01.000250Z"
    assert decode(encode({1: (1, 2)})) == {"1": [1, 2]}


def test_unknown_fields_are_ignored_so_that_types_may_grow() -> None:
    payload = common_pb2.Payload(data=b'{"name":"pen","price":"1","since":2026}')
    assert decode(payload, Item) == Item("pen", Decimal(1))


def test_an_absent_payload_is_null() -> None:
    assert decode(common_pb2.Payload(), int | None) is None


def test_a_pydantic_model_is_read_by_name_and_by_alias() -> None:
    for data in (
        b'{"userName":"ada","due":"2026-01-01"}',
        b'{"user_name":"ada","due":"2026-01-01"}',
    ):
        assert decode(common_pb2.Payload(data=data), Aliased).user_name == "ada"


def test_encode_all_keeps_the_order() -> None:
    assert [p.data for p in encode_all([1, "x", None])] == [b"1", b'"x"', b"null"]


def test_a_decoder_is_built_once_per_type() -> None:
    assert decoder_for(list[Order]) is decoder_for(list[Order])


def test_an_unhashable_annotation_works() -> None:
    assert decode(encode(3), Annotated[int, ["unhashable"]]) == 3


def test_null_inside_a_value_is_not_mistaken_for_a_bad_number() -> None:
    value = {"a": None, "b": ["null", 1.5, USER, ORDER], "c": {2: None}}
    assert b"null" in encode(value).data


@pytest.mark.parametrize("annotation", [object, Any])
def test_any_object_is_whatever_json_holds(annotation: Any) -> None:
    assert decode(encode({"a": [1, None]}), annotation) == {"a": [1, None]}


def test_a_function_that_never_returns_has_no_result() -> None:
    assert decode(encode(None), NoReturn) is None
