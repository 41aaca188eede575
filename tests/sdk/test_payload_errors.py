"""An error names the path, what was expected, what was found, and a way out."""

from __future__ import annotations

import dataclasses
import enum
from datetime import date
from decimal import Decimal
from typing import Any

import attrs
import pydantic
import pytest

from sched_sdk._payloads import decode, decoder_for, encode
from sched_sdk.api.v1 import common_pb2
from sched_sdk.errors import PayloadError


@dataclasses.dataclass
class Item:
    price: float
    tags: dict[str, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Order:
    items: list[Item]
    note: object = None


@dataclasses.dataclass
class Checked:
    url: str

    def __post_init__(self) -> None:
        if not self.url:
            raise ValueError("URL is missing")
        if self.url == "?":
            raise LookupError("no such host")


class Opaque:
    def __repr__(self) -> str:
        return "<opaque>"


class Broken(Opaque):
    def __repr__(self) -> str:
        raise RuntimeError("no repr either")


class Model(pydantic.BaseModel):
    price: float
    inner: list[float] = []


class Constants(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(ser_json_inf_nan="constants")

    price: float


class Fraction(enum.Enum):
    HALF = 0.5


@attrs.define
class Hidden:
    seen: int
    _secret: int = 0


@dataclasses.dataclass
class Holder:
    hidden: list[Hidden]


CYCLE: list[Any] = []
CYCLE.append(CYCLE)

NAN = float("nan")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (NAN, "$: nan cannot be sent: JSON has no such number."),
        (Order([Item(1.0), Item(float("-inf"))]), "$.items[1].price: -inf cannot be sent"),
        ({"a b": (1, NAN)}, "$['a b'][1]: nan cannot"),
        (Model(price=1, inner=[1, NAN]), "$.inner[1]: nan cannot"),
        ({"model": [Model(price=NAN)]}, "$.model[0].price: nan cannot"),
        (Order([], note=Opaque()), "$.note: <opaque> of type `Opaque` cannot be sent. Use JSON"),
        ({"x": [Broken()]}, "$.x[0]: <Broken> of type `Broken` cannot be sent"),
        ({"when": {(1, 2): 3}}, "$.when: (1, 2) of type `tuple` cannot be a key: use str"),
        (["\ud800"], "$[0]: '\\ud800' of type `str` is no valid text"),
        ([ValueError("x")], "$[0]: ValueError('x') of type `ValueError` cannot be sent"),
        ((i for i in (1, 2)), "of type `generator` cannot be sent"),
        (CYCLE, "$: the value is nested too deeply, or contains itself"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_what_cannot_be_sent(value: Any, message: str) -> None:
    with pytest.raises(PayloadError) as caught:
        encode(value)
    assert message in str(caught.value)


def test_numbers_that_json_lacks_are_refused_even_if_a_model_writes_them() -> None:
    with pytest.raises(PayloadError, match=r"^\$"):
        encode([Constants(price=NAN)])


@pytest.mark.parametrize(
    ("data", "annotation", "message"),
    [
        (b'"x"', int, "$: expected int, found str 'x'"),
        (b"null", int, "$: expected int, found null"),
        (
            b'{"items":[{"price":1},{"price":"a lot"}]}',
            Order,
            "$.items[1].price: expected float, found str 'a lot' (reading Order)",
        ),
        (b'{"items":[{}]}', Order, "$.items[0].price: a required field is missing (reading Order)"),
        (
            b'{"items":[{"price":1,"tags":{"a":1,"b":"2"}}]}',
            Order,
            "$.items[0].tags.b: expected int, found str '2' (reading Order)",
        ),
        (b'{"k":1}', dict[int, int], "a key of $: expected int, found str"),
        (b'["2026-13-01"]', list[date], "$[0]: invalid RFC3339"),
        (b'[{"a":[]}]', list[dict[str, int]], "$[0].a: expected int, found array (reading list["),
        (b'[{"url":""}]', list[Checked], "$[0]: URL is missing (reading list["),
        (b'[{"url":"?"}]', list[Checked], "$: LookupError: no such host"),
        (b"{oops", dict[str, int], "$: not valid JSON ("),
        (b"[" * 100_000, Any, "$: the JSON is nested too deeply to be read."),
        (b'{"price":"x","inner":[1,"y"]}', Model, "$.price: Input should be a valid number"),
        (
            b'[{"inner":[1,"y"],"price":1}]',
            list[Model],
            "$[0].inner[1]: Input should be a valid nu",
        ),
        (b'[{"inner":["y"]}]', list[Model], "; $[0].inner[0]: Input should be a valid number"),
        (b'[{"inner":[]}]', list[Model], "$[0].price: Field required (reading list["),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_what_does_not_fit(data: bytes, annotation: Any, message: str) -> None:
    with pytest.raises(PayloadError) as caught:
        decode(common_pb2.Payload(data=data), annotation)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        (Order | Item, "cannot be read from JSON: Type unions may not contain more than one"),
        (Fraction, "`Fraction` cannot be read from JSON: Enums must contain"),
        (Holder, "the attrs class `Hidden` has the private field `_secret`"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_types_that_json_cannot_tell(annotation: Any, message: str) -> None:
    with pytest.raises(PayloadError) as caught:
        decoder_for(annotation)
    assert message in str(caught.value)


def test_a_type_without_a_reader_says_what_to_use() -> None:
    with pytest.raises(PayloadError, match="`Opaque` cannot be read from JSON; use a datacl"):
        decode(encode({}), Opaque)


def test_raw_bytes_for_a_type_that_is_json() -> None:
    with pytest.raises(PayloadError, match=r"expected int, found 3 raw bytes\. Annotate"):
        decode(encode(b"abc"), int)


def test_an_encoding_of_a_later_version() -> None:
    with pytest.raises(PayloadError, match=r"encoding is 'zstd'.*Upgrade the reader"):
        decode(common_pb2.Payload(encoding="zstd", data=b"x"), int)


def test_values_in_messages_are_cut() -> None:
    with pytest.raises(PayloadError) as caught:
        decode(encode("x" * 10_000), int)
    assert len(str(caught.value)) < 200


def test_decimals_fit_only_numbers() -> None:
    with pytest.raises(PayloadError, match=r"\$\[0\]: "):
        decode(encode(["ten"]), list[Decimal])
