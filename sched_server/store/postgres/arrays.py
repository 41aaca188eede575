"""Columns of a batch as binary array parameters.

A batch goes to the server as one array for each column. Packing the wire
format here, value by value with a prepared `Struct`, costs a fraction of the
driver's general adaptation of lists, which looks at the type of every element.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from psycopg.adapt import Dumper
from psycopg.pq import Format

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import AsyncConnection
    from psycopg.abc import Buffer

__all__ = [
    "PackedArray",
    "bool_array",
    "bytea_array",
    "int2_array",
    "int4_array",
    "int8_array",
    "register_arrays",
    "text_array",
]

_HEAD = struct.Struct(">iiIii").pack
"""Dimensions, whether there are nulls, element type, length, first index."""

_EMPTY = struct.Struct(">iiI").pack

_LENGTH = struct.Struct(">i").pack
_BOOL = struct.Struct(">i?").pack
_INT2 = struct.Struct(">ih").pack
_INT4 = struct.Struct(">ii").pack
_INT8 = struct.Struct(">iq").pack


class PackedArray(bytes):
    """An array as it travels. One subclass for each type, because the driver
    knows the type of a parameter by its class."""

    __slots__ = ()


class BoolArray(PackedArray):
    __slots__ = ()


class ByteaArray(PackedArray):
    __slots__ = ()


class Int2Array(PackedArray):
    __slots__ = ()


class Int4Array(PackedArray):
    __slots__ = ()


class Int8Array(PackedArray):
    __slots__ = ()


class TextArray(PackedArray):
    __slots__ = ()


_OIDS: tuple[tuple[type[PackedArray], int], ...] = (
    (BoolArray, 1000),
    (ByteaArray, 1001),
    (Int2Array, 1005),
    (Int4Array, 1007),
    (TextArray, 1009),
    (Int8Array, 1016),
)


class _AsItIs(Dumper):
    format = Format.BINARY

    def dump(self, obj: PackedArray) -> Buffer:
        return obj


_DUMPERS = [
    (array, type(f"{array.__name__}Dumper", (_AsItIs,), {"oid": oid})) for array, oid in _OIDS
]


def register_arrays(connection: AsyncConnection) -> None:
    """Teach a connection to send these arrays."""
    for array, dumper in _DUMPERS:
        connection.adapters.register_dumper(array, dumper)


def _packed(element_oid: int, elements: list[bytes]) -> bytes:
    if not elements:
        return _EMPTY(0, 0, element_oid)
    return _HEAD(1, 0, element_oid, len(elements), 1) + b"".join(elements)


def bool_array(values: Sequence[bool]) -> BoolArray:
    return BoolArray(_packed(16, [_BOOL(1, value) for value in values]))


def int2_array(values: Sequence[int]) -> Int2Array:
    """Raises struct.error for a value that does not fit; so do the next two."""
    return Int2Array(_packed(21, [_INT2(2, value) for value in values]))


def int4_array(values: Sequence[int]) -> Int4Array:
    return Int4Array(_packed(23, [_INT4(4, value) for value in values]))


def int8_array(values: Sequence[int]) -> Int8Array:
    return Int8Array(_packed(20, [_INT8(8, value) for value in values]))


def text_array(values: Sequence[str]) -> TextArray:
    """Raises UnicodeEncodeError for a lone surrogate."""
    encoded = [value.encode() for value in values]
    return TextArray(_packed(25, [_LENGTH(len(value)) + value for value in encoded]))


def bytea_array(values: Sequence[bytes]) -> ByteaArray:
    return ByteaArray(_packed(17, [_LENGTH(len(value)) + value for value in values]))
