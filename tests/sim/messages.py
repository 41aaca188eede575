"""Messages in few words, for the trace."""

from __future__ import annotations

from typing import Any

_SHOWN = frozenset(
    (
        "segments",
        "segment_acks",
        "workflow_tasks",
        "task_failures",
        "activity_tasks",
        "activity_reports",
        "heartbeats",
    )
)


def in_words(message: Any) -> str:
    """`segment_acks w3, workflow_tasks 2`: what is in it, or how much of it."""
    words = []
    for field, value in message.ListFields():
        name = field.name
        if name in ("calls", "replies"):
            words += [_call(entry) for entry in value]
        elif name in _SHOWN:
            words += [f"{name[:-1]}({_about(entry)})" for entry in value]
        elif isinstance(value, str | int | bool):
            words.append(f"{name}={value}")
        elif hasattr(value, "ListFields"):
            words.append(name)
        else:
            words.append(f"{name} x{len(value)}")
    return ", ".join(words) or type(message).__name__


def _call(entry: Any) -> str:
    kind = entry.WhichOneof(entry.DESCRIPTOR.oneofs[0].name)
    told = getattr(entry, kind) if kind else None
    about = getattr(told, "workflow_id", "") or getattr(told, "message", "")
    return f"#{entry.id} {kind} {about}".rstrip()


def _about(entry: Any) -> str:
    parts = [entry.run_id[:4]]
    for name in ("seq", "dispatch", "base", "seen", "more", "outcome", "last_event_id"):
        if name in entry.DESCRIPTOR.fields_by_name and getattr(entry, name):
            value = getattr(entry, name)
            if name == "dispatch":
                value = f"{value >> 32}.{value & 0xFFFFFFFF}"
            parts.append(f"{name}={value}")
    return " ".join(parts)
