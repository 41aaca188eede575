"""What a reload says of open workflows that would break."""

from __future__ import annotations

from sched_cli.reload.verdict import Break, CheckOptions, CheckReport, Verdict
from sched_cli.render.reload_news import breaks_report, incomplete


def broken(number: int, **changes: str) -> Break:
    given = {
        "workflow_type": "Order",
        "history": "app.py:19: activity charge",
        "code": "app.py:20: activity ship",
    }
    return Break(workflow_id=f"o-{number}", run_id=f"r-{number}", event_id=3, **(given | changes))


def report(*breaks: Break, open_runs: int, problem: str = "") -> list[str]:
    verdict = Verdict(breaks=breaks, open_runs=open_runs, problem=problem)
    return breaks_report(verdict, held=False, too_many=False).splitlines()


def test_workflows_that_break_in_the_same_way_are_named_together() -> None:
    lines = report(*(broken(number) for number in range(5)), open_runs=5)
    assert lines[:4] == [
        "5 of 5 open workflows would break on the new code:",
        "  o-0, o-1 and 3 more (Order), at event 3",
        "    history: app.py:19: activity charge",
        "    code:    app.py:20: activity ship",
    ]
    assert len(lines) == 6


def test_many_ways_to_break_are_cut() -> None:
    ways = [broken(number, code=f"app.py:{number}: " + "x" * 200) for number in range(9)]
    lines = report(*ways, open_runs=9)
    assert lines[10] == "  and in 6 more ways; see sched verify --open"
    assert all(len(line) <= 72 for line in lines), "they stand behind a label of eight"


def test_what_was_not_tried_is_said() -> None:
    lines = report(broken(1), open_runs=300, problem="the check had 5 s")
    assert lines[1] == "(1 of 300 open workflows were tried: the check had 5 s)"
    away = Verdict(problem="No engine answers.")
    assert incomplete(away) == "open workflows were not tried: No engine answers."
    assert incomplete(Verdict(fitting=frozenset({"r"}), open_runs=1)) == ""


def test_what_goes_between_the_processes_comes_back_as_it_was() -> None:
    options = CheckOptions(
        targets=("app.py",),
        engine="localhost:1",
        task_queue="q",
        workflow_types=("Order",),
        kept=[("o-1", "r-1")],
        newest=20,
        seconds=5.0,
    )
    assert CheckOptions.decode(options.encode()) == options
    said = CheckReport("breaks", "o-1", "r-1", "Order", found={"event_id": 3, "why": "x"})
    assert CheckReport.decode(said.encode()) == said
