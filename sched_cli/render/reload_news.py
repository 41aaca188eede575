"""What a check of open workflows has found, in lines of 80 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sched_cli.reload.verdict import Break, Verdict

_SHOWN_KINDS = 3
_SHOWN_IDS = 2
_LONGEST = 58


def breaks_report(verdict: Verdict, *, held: bool, too_many: bool) -> str:
    """Which would break, where and how, and what is done about it."""
    return "\n".join([_headline(verdict), *_kinds(verdict.breaks), _measure(held, too_many)])


def incomplete(verdict: Verdict) -> str:
    """What was not looked at, and why; empty if everything was."""
    if verdict.problem and not verdict.open_runs:
        return f"open workflows were not tried: {verdict.problem}"
    if verdict.checked >= verdict.open_runs:
        return ""
    why = verdict.problem or "the newest of each type"
    return f"{verdict.checked} of {workflows(verdict.open_runs, 'open ')} were tried: {why}"


def names(breaks: Iterable[Break]) -> str:
    """The workflows' ids, as many as fit a line."""
    ids = [one.workflow_id for one in breaks]
    more = f" and {len(ids) - _SHOWN_IDS} more" if len(ids) > _SHOWN_IDS else ""
    return ", ".join(ids[:_SHOWN_IDS]) + more


def workflows(count: int, kind: str = "") -> str:
    """How many, in words."""
    return f"{count} {kind}workflow{'' if count == 1 else 's'}"


def _headline(verdict: Verdict) -> str:
    total = workflows(verdict.open_runs, "open ")
    note = incomplete(verdict)
    return f"{len(verdict.breaks)} of {total} would break on the new code:" + (
        f"\n({note})" if note else ""
    )


def _kinds(breaks: Sequence[Break]) -> Iterator[str]:
    kinds: dict[tuple[object, ...], list[Break]] = {}
    for one in breaks:
        kinds.setdefault(one.kind, []).append(one)
    for same in list(kinds.values())[:_SHOWN_KINDS]:
        first = same[0]
        at = f", at event {first.event_id}" if first.event_id else ""
        yield f"  {names(same)} ({first.workflow_type}){at}"
        if first.why:
            yield f"    {_short(first.why)}"
        else:
            yield f"    history: {_short(first.history)}"
            yield f"    code:    {_short(first.code)}"
    if len(kinds) > _SHOWN_KINDS:
        yield f"  and in {len(kinds) - _SHOWN_KINDS} more ways; see sched verify --open"


def _measure(held: bool, too_many: bool) -> str:
    if too_many:
        return (
            "Too many old versions are still at work: this one does not take over\n"
            "before these workflows are over. Or save mended code."
        )
    if held:
        return (
            "The old code goes on with everything. Save mended code; or the new one\n"
            "takes over when these workflows are over."
        )
    return (
        "The old code goes on with these, the new code takes all else. Each save\n"
        "is tried again; sched replay ID shows both sides."
    )


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
