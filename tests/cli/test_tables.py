"""Tables that fit the width, with whatever people call things."""

from __future__ import annotations

import pytest
from rich.console import Console

from sched_cli.render.cells import cut_end, cut_middle, fill, one_line, width_of
from sched_cli.render.hanging import Hanging
from sched_cli.render.tables import Column, Cut, FittedTable

LONG = "order-of-a-customer-with-a-very-long-name-0042"
WIDE = "注文番号-0000000000000000000000000000000042"


def table() -> FittedTable:
    made = FittedTable(
        Column(title="ID", cut=Cut.MIDDLE, least=8, share=2),
        Column(title="TYPE", cut=Cut.MIDDLE, least=8),
        Column(title="STATUS"),
        Column(title="TOOK", weight=1),
        Column(title="EVENTS", right=True, weight=2),
    )
    made.add(LONG, "ImportTheWholeCatalogue", ("RUNNING", "blue"), "1.2 s", "12")
    made.add(WIDE, "短い", ("FAILED", "red"), "", "7")
    made.add("a", "B", "RUNNING", "12 m 20 s", "50000")
    return made


@pytest.mark.parametrize("width", [40, 50, 60, 80, 100, 160])
def test_every_line_fits_and_every_column_is_straight(width: int) -> None:
    lines = [line.plain for line in table().lines(width)]
    assert max(map(width_of, lines)) <= width
    at = width_of(lines[0][: lines[0].index("STATUS")])
    for line, status in zip(lines[1:], ("RUNNING", "FAILED", "RUNNING"), strict=True):
        assert width_of(line[: line.index(status)]) == at


def test_nothing_is_cut_where_there_is_room() -> None:
    lines = [line.plain for line in table().lines(10_000)]
    assert LONG in lines[1]
    assert WIDE in lines[2]


def test_the_least_important_columns_go_first() -> None:
    head = [next(iter(table().lines(width))).plain for width in (80, 38, 28)]
    assert [("TOOK" in line, "EVENTS" in line) for line in head] == [
        (True, True),
        (True, False),
        (False, False),
    ]


def test_words_are_cut_by_the_columns_they_take() -> None:
    assert cut_middle("注文番号です", 7) == "注…です"
    assert cut_end("注文番号です", 7) == "注文番…"
    assert width_of(fill("注文", 8)) == 8
    assert fill("7", 3, right=True) == "  7"
    assert width_of(cut_middle("e\u0301" * 20, 9)) <= 9


def test_names_cannot_move_the_cursor() -> None:
    assert one_line("a\nb\x1b[31mc\td") == "a�b�[31mc�d"
    made = FittedTable(Column(title="ID"))
    made.add("a\nb")
    assert len(list(made.lines(80))) == 2


def test_the_further_lines_of_a_text_stand_below_its_first() -> None:
    console = Console(width=40, color_system=None)
    with console.capture() as shown:
        console.print(
            Hanging("Input       ", "one two three four five six seven eight nine 注文番号")
        )
    lines = shown.get().splitlines()
    assert lines[0] == "Input       one two three four five six"
    assert {line[:12] for line in lines[1:]} == {" " * 12}
    assert max(map(width_of, lines)) <= 40
