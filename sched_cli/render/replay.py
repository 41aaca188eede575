"""What came of replays, for people: a line each, and a report where they part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_cli.render import console
from sched_cli.render.divergence import divergence_report
from sched_cli.render.plain import compact
from sched_cli.render.tables import Column, Cut, FittedTable

if TYPE_CHECKING:
    from rich.console import Console

    from sched_cli.render.divergence import LocalCode
    from sched_cli.replay_reports import Group, Reports
    from sched_sdk._debug import Difference, Divergence, Replay

# Beyond these a line says it.
_FULL_REPORTS = 3
_SHOWN_DIFFERENCES = 10
_SHOWN_IDS = 5
_VALUE_LIMIT = 60
_TEXT_WIDTH = 80


def show_reports(reports: Reports, code: LocalCode) -> None:
    """Print everything about many histories."""
    show_findings(reports, code)
    _show_summary(reports)


def show_findings(reports: Reports, code: LocalCode) -> None:
    """Print what is not as it should be."""
    _show_differences(reports)
    for index, group in enumerate(reports.groups):
        _show_group(group, code, full=index < _FULL_REPORTS)
    if reports.ungrouped:
        console.data().print(f"And {_count(reports.ungrouped, 'workflow')} in other ways.")
    for problem in reports.problems:
        console.print_error(problem)


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


def _show_differences(reports: Reports) -> None:
    """Arguments that differ: warnings, or errors."""
    say = console.print_error if reports.strict else console.print_warning
    for replay in reports.differing:
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


def _show_group(group: Group, code: LocalCode, *, full: bool) -> None:
    if full:
        _print_report(console.data(), group.replay, group.divergence, code)
    else:
        line = f"{group.replay.workflow_id} {group.replay.outcome}: {group.divergence.message}"
        console.data().print(line, soft_wrap=True)
    if group.others:
        left = group.count - 1 - len(group.others[:_SHOWN_IDS])
        more = f" and {left:,} more" if left else ""
        names = ", ".join(group.others[:_SHOWN_IDS])
        console.data().print(f"The same in {names}{more}.", soft_wrap=True)
    console.data().print()


def _show_summary(reports: Reports) -> None:
    counted = ("REPLAYED", "AGREE", "DIVERGE", "RAISE", "DIFFER", "EVENTS")
    numbers = [Column(title=title, right=True) for title in counted]
    table = FittedTable(Column(title="TYPE", cut=Cut.MIDDLE), *numbers)
    for name, tally in sorted(reports.types.items()):
        counts = (tally.replayed, tally.agreed, tally.diverged, tally.raised, tally.differed)
        table.add(name, *(f"{count:,}" for count in (*counts, tally.events)))
    if reports.types:
        console.data().print(table)
    if reports.problem_count:
        console.say(f"{reports.problem_count:,} could not be replayed, see above.")
    for name, count in sorted(reports.skipped.items()):
        console.hint(f"Skipped {count:,} of {name}: the app has no such workflow.")


def problem_of_replay(replay: Replay, *, strict: bool) -> str:
    """The report as text, for those who show it themselves; empty if all is well."""
    import io

    from rich.console import Console

    from sched_cli.render.divergence import LocalCode

    if replay.divergence is None:
        told = replay.differences if strict else ()
        return "\n".join(f"{replay.workflow_id}: {_difference(one)}" for one in told)
    text = io.StringIO()
    paper = Console(file=text, width=_TEXT_WIDTH, emoji=False, highlight=False)
    _print_report(paper, replay, replay.divergence, LocalCode(""))
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def _print_report(paper: Console, replay: Replay, divergence: Divergence, code: LocalCode) -> None:
    for part in divergence_report(replay, divergence, code):
        # Print joins texts, and forgets which of them are to be cut.
        no_wrap, overflow = getattr(part, "no_wrap", None), getattr(part, "overflow", None)
        paper.print(part, no_wrap=no_wrap, overflow=overflow)
