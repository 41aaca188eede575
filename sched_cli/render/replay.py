"""What came of replays, for people: a line each, and a report where they part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_cli.render import console
from sched_cli.render.divergence import divergence_report
from sched_cli.render.plain import compact

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sched_cli.replaying import Report, Reports
    from sched_sdk._debug import Difference, Divergence, Replay

# Beyond these a line says it.
_FULL_REPORTS = 3
_SHOWN_DIFFERENCES = 10
_SHOWN_IDS = 5
_VALUE_LIMIT = 60


def show_reports(reports: Reports, build_id: str, *, one: bool) -> None:
    """Print everything; `one` is whether a single history was asked for."""
    agreeing = [
        report.replay
        for report in reports.found
        if report.replay is not None and report.replay.divergence is None
    ]
    if one:
        for replay in agreeing:
            console.data().print(agreement(replay), soft_wrap=True)
    _show_differences(agreeing, strict=reports.strict)
    groups = _groups(reports.found)
    for index, group in enumerate(groups):
        _show_group(group, build_id, full=index < _FULL_REPORTS)
    for report in reports.found:
        if report.replay is None:
            console.print_error(report.problem)
    if not one:
        _show_summary(reports)


def agreement(replay: Replay) -> str:
    """The line of success."""
    rate = f", {replay.events / replay.seconds:,.0f} events/s" if replay.seconds else ""
    state = "closed" if replay.closed else "open so far"
    return (
        f"{replay.workflow_id} agrees: {_count(replay.events, 'event')} in "
        f"{_milliseconds(replay.seconds)}{rate} ({replay.workflow_type}, {state})"
    )


def _milliseconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _show_differences(replays: Iterable[Replay], *, strict: bool) -> None:
    """Arguments that differ: warnings, or errors."""
    say = console.print_error if strict else console.print_warning
    for replay in replays:
        for difference in replay.differences[:_SHOWN_DIFFERENCES]:
            say(f"{replay.workflow_id}: {_difference(difference)}")
        more = replay.difference_count - _SHOWN_DIFFERENCES
        if more > 0:
            say(f"{replay.workflow_id}: and {_count(more, 'command')} more with other arguments")
        if replay.not_comparable:
            console.hint(
                f"{replay.workflow_id}: {_count(replay.not_comparable, 'command')} not compared, "
                "since values are redacted"
            )


def _difference(difference: Difference) -> str:
    place = f" ({difference.current_call_site})" if difference.current_call_site else ""
    return (
        f"event {difference.event_id}, {difference.what}{place}: {difference.path} was "
        f"{_value(difference.recorded)}, now it is {_value(difference.current)}"
    )


def _value(value: object) -> str:
    return compact(value, _VALUE_LIMIT)


def _groups(found: Iterable[Report]) -> list[list[Report]]:
    """Those that part at the same place in the same way, together."""
    groups: dict[tuple[object, ...], list[Report]] = {}
    for report in found:
        if report.replay is not None and report.replay.divergence is not None:
            key = (report.workflow_type, *_parting(report.replay.divergence))
            groups.setdefault(key, []).append(report)
    return sorted(groups.values(), key=len, reverse=True)


def _parting(divergence: Divergence) -> tuple[object, ...]:
    recorded, current = divergence.recorded, divergence.current
    # The message of an exception often names the workflow.
    does = divergence.raised.type if divergence.raised else current.what
    return (recorded.what, recorded.call_site, does, current.call_site)


def _show_group(group: list[Report], build_id: str, *, full: bool) -> None:
    first = group[0].replay
    assert first is not None
    assert first.divergence is not None
    if full:
        for part in divergence_report(first, first.divergence, build_id):
            # Print joins texts, and forgets which of them are to be cut.
            no_wrap, overflow = getattr(part, "no_wrap", None), getattr(part, "overflow", None)
            console.data().print(part, no_wrap=no_wrap, overflow=overflow)
    else:
        line = f"{first.workflow_id} {first.outcome}: {first.divergence.message}"
        console.data().print(line, soft_wrap=True)
    others = [report.workflow_id for report in group[1:]]
    if others:
        more = f" and {len(others) - _SHOWN_IDS:,} more" if len(others) > _SHOWN_IDS else ""
        names = ", ".join(others[:_SHOWN_IDS])
        console.data().print(f"The same in {names}{more}.", soft_wrap=True)
    console.data().print()


def _show_summary(reports: Reports) -> None:
    from sched_cli.render.workflows import plain_table

    table = plain_table("TYPE", "REPLAYED", "AGREE", "DIVERGE", "RAISE", "DIFFER", "EVENTS")
    for column in table.columns[1:]:
        column.justify = "right"
    for name in sorted({report.workflow_type for report in reports.found if report.replay}):
        replays = [
            report.replay
            for report in reports.found
            if report.replay is not None and report.workflow_type == name
        ]
        outcomes = [str(replay.outcome) for replay in replays]
        table.add_row(
            name,
            f"{len(replays):,}",
            f"{outcomes.count('agrees'):,}",
            f"{outcomes.count('diverges'):,}",
            f"{outcomes.count('raises'):,}",
            f"{sum(1 for replay in replays if replay.difference_count):,}",
            f"{sum(replay.events for replay in replays):,}",
        )
    if table.row_count:
        console.data().print(table)
    unreadable = sum(1 for report in reports.found if report.replay is None)
    if unreadable:
        console.say(f"{unreadable:,} could not be replayed, see above.")
    for name, count in sorted(reports.skipped.items()):
        console.hint(f"Skipped {count:,} of {name}: the app has no such workflow.")
