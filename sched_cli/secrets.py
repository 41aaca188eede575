"""Keeping passwords out of what people and logs are shown."""

from __future__ import annotations

import re

__all__ = ["redact"]

# But for the word "password" itself, which stands in examples.
_USER_AND_PASSWORD = re.compile(
    r"(\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)(?!password@)\S+@", re.IGNORECASE
)
_PASSWORD = re.compile(r"(\bpassword\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s&]+)", re.IGNORECASE)


def redact(text: str) -> str:
    """Without the passwords of addresses and of connection strings."""
    return _PASSWORD.sub(r"\1***", _USER_AND_PASSWORD.sub(r"\1***@", text))
