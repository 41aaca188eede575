"""Times and durations, as people read them."""

from __future__ import annotations

from datetime import datetime, timedelta

_LONG_S = 10 * 86400


def duration(length: timedelta) -> str:
    """Two significant units at most: "340 ms", "4.2 s", "3 m 20 s", "5 h 12 m", "3 d 4 h".
    From ten days on only the days,"""
    seconds = max(length.total_seconds(), 0.0)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    whole = round(seconds)
    for unit_s, unit, smaller_s, smaller in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "m"),
        (60, "m", 1, "s"),
    ):
        if whole >= unit_s:
            rest = whole % unit_s // smaller_s if whole < _LONG_S else 0
            return f"{whole // unit_s} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"


def age(start: datetime, now: datetime) -> str:
    """How long something has gone on, in whole seconds: as `ago` says it."""
    return duration(_whole(now - start))


def ago(time: datetime, now: datetime) -> str:
    """ "12 s ago", or "now"."""
    passed = now - time
    return "now" if passed < timedelta(seconds=1) else f"{duration(_whole(passed))} ago"


def roughly_ago(time: datetime, now: datetime) -> str:
    """In one unit: "12 s ago", "3 h ago", or "now"."""
    passed_s = int((now - time).total_seconds())
    for unit_s, unit in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        if passed_s >= unit_s:
            return f"{passed_s // unit_s} {unit} ago"
    return "now"


def until(time: datetime, now: datetime) -> str:
    """ "in 4 s", or "now" when that is over."""
    left = time - now
    return "now" if left <= timedelta(0) else f"in {duration(left)}"


def local(time: datetime) -> str:
    """Date and time to the second, in the local time zone."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def local_clock(time: datetime) -> str:
    """The time of day to the millisecond, in the local time zone."""
    return time.astimezone().strftime("%H:%M:%S.%f")[:-3]


def size(byte_count: int) -> str:
    """ "812 B", "2.1 KiB", "3.4 MiB"."""
    if byte_count < 1024:
        return f"{byte_count} B"
    if byte_count < 1024 * 1024:
        return f"{byte_count / 1024:.1f} KiB"
    return f"{byte_count / 1024 / 1024:.1f} MiB"


def _whole(length: timedelta) -> timedelta:
    return timedelta(seconds=int(length.total_seconds()))
