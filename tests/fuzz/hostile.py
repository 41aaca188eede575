"""Messages that nobody should send: random ones, and valid ones with a twist.

Everything follows from a `random.Random`, so a seed repeats a whole session. Ids
and numbers that the engine knows (`words`, by field name) are mixed in, because
most of what is wrong hides behind the check whether an id exists at all.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from google.protobuf.descriptor import FieldDescriptor as Field

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from google.protobuf.descriptor import Descriptor
    from google.protobuf.message import Message

__all__ = ["Hostile"]

_STRINGS = (
    "", " ", "\x00", "a\x00b", "\n\r\t", "%", "_%", "'; DROP TABLE runs; --", "../../etc/passwd",
    "\u202eabc", "é😀", "\U0010ffff", "\ufeff", "x" * 255, "x" * 256, "é" * 255, "null", "-1",
)  # fmt: skip
_INTEGERS = (
    0, 1, 2, 3, 7, 255, 256, 1_000_000, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**53 + 1,
    2**62, 2**63 - 1, 2**63, 2**64 - 1, -1, -2, -(2**31), -(2**63),
)  # fmt: skip
_FLOATS = (0.0, -0.0, 1.0, 1.5, -1.0, 999.0, 1e308, 5e-324, math.inf, -math.inf, math.nan)
_BYTES = (b"", b"\x00", b"\xff\xfe", b"{}", b"[1,2]", b"null", b'"x"', b"[99999999999999999999,1]",
          b"[" * 2_000, b"1e400", b"NaN")  # fmt: skip

_RANGES = {
    Field.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    Field.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    Field.CPPTYPE_UINT32: (0, 2**32 - 1),
    Field.CPPTYPE_UINT64: (0, 2**64 - 1),
    Field.CPPTYPE_ENUM: (-(2**31), 2**31 - 1),
}
_DEEP = 90
"""Nested causes; the wire format allows a hundred levels."""


class Hostile:
    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.words: dict[str, list[Any]] = {}
        """Values that mean something to the engine, by field name."""

    def know(self, **words: Any) -> None:
        for name, word in words.items():
            known = self.words.setdefault(name, [])
            if word not in known:
                known.append(word)
                del known[:-30]

    # --- messages -----------------------------------------------------------------------

    def message(self, kind: type[Message], fill: float = 0.5) -> Any:
        """A random message; each field is set with the probability `fill`."""
        message = kind()
        self._fill(message, fill, depth=0)
        return message

    def plausible(self, kind: type[Message]) -> Any:
        """A message of values that mean something to the engine, as far as there are any."""
        message = kind()
        self._fill_with_words(message, depth=0)
        return message

    def mutated(self, message: Message, changes: int = 0) -> Any:
        """The message, with one to three fields anywhere in it changed."""
        copy = type(message)()
        copy.CopyFrom(message)
        for _ in range(changes or self.chance.randint(1, 3)):
            self._change_one(self.chance.choice(_parts(copy)))
        return copy

    def frame(self, valid: bytes) -> bytes:
        """Bytes on the wire: noise, or a serialized message that was damaged."""
        chance = self.chance
        if not valid or chance.random() < 0.3:
            return chance.randbytes(chance.choice((0, 1, 2, 7, 100, 5_000)))
        data = bytearray(valid)
        damage = chance.randrange(4)
        if damage == 0:
            del data[chance.randrange(len(data)) :]
        elif damage == 1:
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        elif damage == 2:
            data[chance.randrange(len(data)) : 0] = chance.randbytes(5)
        else:
            data += bytes(data)
        return bytes(data)

    def _fill(self, message: Message, fill: float, depth: int) -> None:
        descriptor: Descriptor = message.DESCRIPTOR
        for field in descriptor.fields:
            if self.chance.random() < fill / (1 + depth / 2):
                self._set(message, field, depth)

    def _fill_with_words(self, message: Message, depth: int) -> None:
        for field in message.DESCRIPTOR.fields:
            known = self.words.get(field.name)
            if known and self.chance.random() < 0.8:
                value = self._in_range(field, self.chance.choice(known))
                if field.is_repeated:
                    getattr(message, field.name).append(value)
                else:
                    setattr(message, field.name, value)
            elif field.message_type is not None and depth < 3 and self.chance.random() < 0.7:
                part = getattr(message, field.name)
                if field.is_repeated:
                    for _ in range(self.chance.randint(0, 3)):
                        self._fill_with_words(part.add(), depth + 1)
                else:
                    part.SetInParent()
                    self._fill_with_words(part, depth + 1)

    def _change_one(self, message: Message) -> None:
        fields = message.DESCRIPTOR.fields
        if not fields:
            return
        field = self.chance.choice(list(fields))
        if self.chance.random() < 0.2:
            message.ClearField(field.name)
        else:
            self._set(message, field, depth=1)

    def _set(self, message: Message, field: Field, depth: int) -> None:
        name = field.name
        if field.is_repeated:
            values = getattr(message, name)
            if field.message_type is None:
                count = self._count(depth)
                values.extend(self._scalar(field) for _ in range(count))
            else:
                for _ in range(min(self._count(depth), 50)):
                    self._fill(values.add(), 0.6, depth + 1)
        elif field.message_type is not None:
            part = getattr(message, name)
            part.SetInParent()
            if name == "cause" and self.chance.random() < 0.2:
                for _ in range(_DEEP - 10 * depth):
                    part = part.cause
                part.SetInParent()
            elif depth < 4:
                self._fill(part, 0.6, depth + 1)
        else:
            setattr(message, name, self._scalar(field))

    def _count(self, depth: int) -> int:
        roll = self.chance.random()
        if roll < 0.01 and depth < 2:
            return 40_000
        if roll < 0.03:
            return 300
        return self.chance.randint(0, 3)

    # --- values -------------------------------------------------------------------------

    def _scalar(self, field: Field) -> Any:
        known = self.words.get(field.name)
        if known and self.chance.random() < 0.6:
            return self._in_range(field, self.chance.choice(known))
        return _MAKERS[field.cpp_type](self, field)

    def _in_range(self, field: Field, value: Any) -> Any:
        if field.cpp_type not in _RANGES:
            return value
        low, high = _RANGES[field.cpp_type]
        return min(max(value, low), high)

    def _integer(self, field: Field) -> int:
        value = self.chance.choice(_INTEGERS)
        if self.chance.random() < 0.3:
            value = self.chance.randint(0, 20)
        low, high = _RANGES[field.cpp_type]
        return min(max(value, low), high)

    def _string(self, _: Field) -> str:
        if self.chance.random() < 0.02:
            return "y" * 300_000
        return self.chance.choice(_STRINGS)

    def _data(self, field: Field) -> bytes | str:
        if field.type == Field.TYPE_STRING:
            return self._string(field)
        if self.chance.random() < 0.01:
            return b"z" * 2_500_000
        return self.chance.choice(_BYTES)

    def _enum(self, field: Field) -> int:
        numbers = [value.number for value in field.enum_type.values]
        if self.chance.random() < 0.7:
            return self.chance.choice(numbers)
        return self._integer(field)


_MAKERS: dict[int, Callable[[Hostile, Field], Any]] = {
    Field.CPPTYPE_INT32: Hostile._integer,
    Field.CPPTYPE_INT64: Hostile._integer,
    Field.CPPTYPE_UINT32: Hostile._integer,
    Field.CPPTYPE_UINT64: Hostile._integer,
    Field.CPPTYPE_ENUM: Hostile._enum,
    Field.CPPTYPE_BOOL: lambda hostile, _: hostile.chance.random() < 0.5,
    Field.CPPTYPE_DOUBLE: lambda hostile, _: hostile.chance.choice(_FLOATS),
    Field.CPPTYPE_STRING: Hostile._data,
}


def _parts(message: Message) -> list[Message]:
    """The message and every message in it."""
    parts = [message]
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for part in value if field.is_repeated else (value,):
            parts.extend(_parts(part))
    return parts
