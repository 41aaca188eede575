from __future__ import annotations

import re
from datetime import timedelta

import pytest
import typer

from sched_cli.errors import UsageError
from sched_cli.values import Seconds, parse_duration, parse_inputs, seconds, seconds_between


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("world", "world"),
        ("2026-11", "2026-11"),
        ("42", 42),
        ("4.5", 4.5),
        ("true", True),
        ("null", None),
        ('"42"', "42"),
        ('{"to": ["ops", 1]}', {"to": ["ops", 1]}),
        ("[1, 2]", [1, 2]),
        ("", ""),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
        ("true story", "true story"),
        ("Hello, world!", "Hello, world!"),
    ],
)
def test_an_input_is_json_if_it_parses_else_a_string(text: str, value: object) -> None:
    assert parse_inputs([text]) == [value]


def test_inputs_keep_their_order() -> None:
    assert parse_inputs(["a", "1", "[]"]) == ["a", 1, []]


@pytest.mark.parametrize("text", ['{"a": 1 "b"}', "[1, 2", '"open', "{a: 1}", " {"])
def test_broken_json_is_refused_and_not_taken_for_a_string(text: str) -> None:
    with pytest.raises(UsageError, match=r"--input is not valid JSON: .* \(line 1, column \d+\)"):
        parse_inputs([text])


def test_the_pointer_stands_under_the_mistake() -> None:
    with pytest.raises(UsageError) as caught:
        parse_inputs(["fine", '{"a": 1 "b"}'])
    message, source, pointer, _ = str(caught.value).splitlines()
    assert message.startswith("--input number 2 is not valid JSON")
    assert source[pointer.index("^") :] == '"b"}'


def test_the_pointer_stands_under_a_mistake_far_to_the_right() -> None:
    with pytest.raises(UsageError) as caught:
        parse_inputs(['{"key": "' + "x" * 500 + '" oops}'])
    _, source, pointer, _ = str(caught.value).splitlines()
    assert source[pointer.index("^") :] == "oops}"
    assert len(source) < 100


def test_without_inputs_the_variable_is_the_only_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse_inputs(None) == []
    monkeypatch.setenv("SCHED_INPUT", '{"with": "blanks in it"}')
    assert parse_inputs(None) == [{"with": "blanks in it"}]
    assert parse_inputs(["given"]) == ["given"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30),
        ("30s", 30),
        ("5m", 300),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        ("1.5h", 5400),
        ("250ms", 0.25),
        ("7d", 604800),
        ("2W", 1209600),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text, "--timeout") == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "soon", "5x", "m", "-5s", "5m later", "1e9", "999999999999d"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(UsageError, match="--timeout"):
        parse_duration(text, "--timeout")


def test_no_duration_is_none() -> None:
    assert parse_duration(None, "--timeout") is None


def test_options_that_are_seconds_inside() -> None:
    assert (seconds("1m 30s"), seconds("90"), seconds(Seconds(8))) == (90, 90, 8)
    assert str(Seconds(8)) == "8s"
    within = seconds_between(0.1, 600)
    assert within("10m") == 600
    for text, words in (
        ("0", "'0' is too short; the least is 0.1s"),
        ("11m", "'11m' is too long; the most is 600s"),
        ("soon", "'soon' is no duration"),
    ):
        with pytest.raises(typer.BadParameter, match=re.escape(words)):
            within(text)
