"""A prefix of an id as a range, for stores that compare text byte by byte."""

from __future__ import annotations

__all__ = ["behind_prefix"]

_LAST_CHARACTER = 0x10FFFF
_FIRST_SURROGATE = 0xD800
_LAST_SURROGATE = 0xDFFF


def behind_prefix(prefix: str) -> str | None:
    """The smallest text that is greater than every text with this prefix; None
    if there is none. The order of the bytes of UTF-8 is that of the code points."""
    kept = prefix.rstrip(chr(_LAST_CHARACTER))
    if not kept:
        return None
    successor = ord(kept[-1]) + 1
    if _FIRST_SURROGATE <= successor <= _LAST_SURROGATE:  # no characters, not encodable
        successor = _LAST_SURROGATE + 1
    return kept[:-1] + chr(successor)
