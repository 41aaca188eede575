"""Limits that decisions check. Sizes of single payloads are checked at the edge."""

from __future__ import annotations

from msgspec import Struct


class Limits(Struct, frozen=True, kw_only=True):
    history_events: int = 50_000
    history_bytes: int = 50 * 1024 * 1024
    pending_activities: int = 2_000
    pending_timers: int = 10_000
    close_refusals: int = 3
    """Refused closes in a row after which new signals wait."""
    retry_events: int = 10
    """Retries of one activity that are recorded for people."""


DEFAULT_LIMITS = Limits()
