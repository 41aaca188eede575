"""Declaring workflows and activities: what is taken, what is refused and how."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import AsyncIterator, Iterator
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sched_sdk import DefinitionError, PayloadError, RetryPolicy, activity, workflow
from sched_sdk._definitions import activity_definition_of, workflow_definition_of
from sched_sdk._payloads import encode, encode_all

if TYPE_CHECKING:
    from sched_sdk import WorkflowContext


@workflow
async def monthly_report(ctx: WorkflowContext, month: date, copies: int = 1) -> list[str]:
    return [f"{month}"] * copies


@workflow(name="Nightly")
async def nightly(ctx: WorkflowContext) -> None:
    """Does nothing."""


@activity(retry=RetryPolicy(maximum_attempts=10), start_to_close=60, task_queue="mail")
async def send_email(to: str, *copies: str) -> str:
    return to


@activity
def add(left: int, right: int = 0, /, *, verbose: bool = False) -> int:
    return left + right


class Mailer:
    @activity(name="mailer.send")
    async def send(self, to: str) -> str:
        return to

    @classmethod
    @activity
    def kind(cls, suffix: str) -> str:
        return cls.__name__ + suffix

    @staticmethod
    @activity
    def ping() -> bool:
        return True


def test_the_decorated_function_is_the_function() -> None:
    assert inspect.iscoroutinefunction(monthly_report)
    assert add(1, 2) == 3
    assert nightly.__doc__ == "Does nothing."


def test_a_workflow_is_named_after_its_function_or_as_told() -> None:
    assert workflow_definition_of(monthly_report).name == "monthly_report"
    assert workflow_definition_of(nightly).name == "Nightly"


def test_arguments_are_read_by_annotation_and_defaults_stay() -> None:
    definition = workflow_definition_of(monthly_report)
    assert definition.decode_arguments([encode("2026-11-01")]) == [date(2026, 11, 1)]
    assert definition.decode_arguments([encode("2026-11-01"), encode(2)]) == [date(2026, 11, 1), 2]
    assert definition.result_type == list[str]
    assert workflow_definition_of(nightly).result_type is type(None)


def test_an_annotation_that_only_type_checkers_import_does_not_hinder_the_context() -> None:
    assert "WorkflowContext" not in globals()
    assert workflow_definition_of(monthly_report).decode_arguments([encode("2026-11-01")])


def test_further_positional_arguments() -> None:
    definition = activity_definition_of(send_email)
    assert definition.decode_arguments(encode_all(["a", "b", "c"])) == ["a", "b", "c"]
    with pytest.raises(PayloadError, match=r"argument 2 of send_email\(to: str, \*copies: str\)"):
        definition.decode_arguments([encode("a"), encode(2)])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "monthly_report(month: date, copies: int = 1) -> list[str] takes 1 to 2 arg"),
        ([], "takes 1 to 2 arguments, got 0. Pass what the signature says"),
        (["2026-11-01", 1, 2], "takes 1 to 2 arguments, got 3"),
        (["soon"], "argument 1 (month) of monthly_report(month: date, copies: int = 1) -> list"),
        (["soon"], ": $: invalid RFC3339 encoded date"),
        (["2026-11-01", "two"], "argument 2 (copies) of monthly_report"),
    ],
)
def test_arguments_that_do_not_fit_show_the_signature(arguments: list[Any], message: str) -> None:
    with pytest.raises(PayloadError) as caught:
        workflow_definition_of(monthly_report).decode_arguments(encode_all(arguments))
    assert message in str(caught.value)


def test_the_caller_learns_the_same_before_anything_is_sent() -> None:
    definition = activity_definition_of(add)
    assert definition.encode_arguments([1, 2]) == [encode(1), encode(2)]
    with pytest.raises(PayloadError, match=r"add\(left: int, .* takes 1 to 2 arguments, got 0"):
        definition.encode_arguments([])
    with pytest.raises(PayloadError, match=r"argument 2 \(right\) of add\(.*: \$: <object"):
        definition.encode_arguments([1, object()])
    with pytest.raises(PayloadError, match=r"the result of activity add: \$: nan cannot be sent"):
        definition.encode_result(float("nan"))


def test_defaults_of_an_activity() -> None:
    definition = activity_definition_of(send_email)
    assert definition.retry == RetryPolicy(maximum_attempts=10)
    assert definition.start_to_close == timedelta(minutes=1)
    assert definition.schedule_to_close is None
    assert definition.task_queue == "mail"
    assert definition.is_async
    assert not activity_definition_of(add).is_async
    assert activity_definition_of(add).retry == RetryPolicy()


async def test_methods_run_with_their_instance() -> None:
    bound = activity_definition_of(Mailer().send)
    assert (bound.name, bound.needs_instance) == ("mailer.send", False)
    assert bound.decode_arguments([encode("a")]) == ["a"]
    assert await bound.fn("a") == "a"
    unbound = activity_definition_of(Mailer.send)
    assert unbound.needs_instance
    assert unbound.encode_arguments(["a"]) == [encode("a")]
    assert activity_definition_of(Mailer.ping).fn() is True
    of_class = activity_definition_of(Mailer.kind)
    assert of_class.fn(*of_class.decode_arguments([encode("!")])) == "Mailer!"


async def test_decorators_above_and_below_count() -> None:
    def shout(fn: Any) -> Any:
        @functools.wraps(fn)
        def wrapper(*args: Any) -> Any:
            called.append(fn.__name__)
            return fn(*args)

        return wrapper

    called: list[str] = []

    @shout
    @activity
    async def above(x: int) -> int:
        return x

    @activity
    @shout
    async def below(x: int) -> int:
        return x

    for function in (above, below):
        definition = activity_definition_of(function)
        assert definition.is_async
        assert await definition.fn(*definition.decode_arguments([encode(1)])) == 1
    assert called == ["above", "below"]

    @shout
    @workflow
    async def nested(ctx: WorkflowContext) -> int:
        return 3

    assert await workflow_definition_of(nested).fn(None) == 3
    assert called[2:] == ["nested"]


def test_types_defined_in_a_function_can_be_used_in_annotations() -> None:
    @dataclasses.dataclass
    class Local:
        x: int

    @activity
    def use(value: Local, others: list[Local]) -> Local:
        return value

    definition = activity_definition_of(use)
    assert definition.decode_arguments([encode({"x": 1}), encode([])]) == [Local(1), []]
    assert definition.result_type is Local


def test_a_name_that_cannot_be_resolved_says_where_to_import_it() -> None:
    @activity
    def use(value: Missing) -> None:  # type: ignore[name-defined]  # noqa: F821 - the test's subject
        pass

    with pytest.raises(DefinitionError) as caught:
        activity_definition_of(use).decode_arguments([encode(1)])
    assert str(caught.value).startswith(
        "the annotation 'Missing' of parameter `value` of use(value: Missing) -> None cannot be "
        "resolved (name 'Missing' is not defined). Import the type at the top of the module"
    )


def test_a_worker_can_find_such_mistakes_before_its_first_task() -> None:
    @activity
    def bad_result() -> list[int] | set[int]:
        return []

    @activity
    def bad_argument(value: Missing) -> None:  # type: ignore[name-defined]  # noqa: F821 - as above
        pass

    with pytest.raises(PayloadError, match=r"the result of bad_result\(\) .* Type unions may not"):
        activity_definition_of(bad_result).prepare()
    with pytest.raises(DefinitionError, match="cannot be resolved"):
        activity_definition_of(bad_argument).prepare()
    workflow_definition_of(monthly_report).prepare()


def test_a_type_that_cannot_be_read_names_the_parameter() -> None:
    @activity
    def use(value: list[int] | set[int]) -> None:
        pass

    with pytest.raises(PayloadError, match=r"parameter `value` of use\(.* Type unions may not"):
        activity_definition_of(use).decode_arguments([encode(1)])


async def no_context() -> None: ...
async def rest(ctx: WorkflowContext, *args: int) -> None: ...
async def keywords(ctx: WorkflowContext, **kwargs: int) -> None: ...
async def keyword_only(ctx: WorkflowContext, *, must: int) -> None: ...
async def method(self: Any, ctx: WorkflowContext) -> None: ...
async def generator(ctx: WorkflowContext) -> AsyncIterator[int]:
    yield 1


def plain(ctx: WorkflowContext) -> None: ...
def activity_generator() -> Iterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (plain, "must be declared with `async def`"),
        (no_context, "needs the context as its first parameter: `async def no_context(ctx: Work"),
        (rest, "takes `*args`; name each parameter"),
        (keywords, "takes `**kwargs`"),
        (keyword_only, "keyword-only parameter `must` without a default"),
        (method, "is a method; workflows are functions"),
        (generator, "has a `yield`; workflow functions return their result"),
        (functools.partial(rest), "@workflow decorates functions, got functools.partial"),
        (staticmethod(plain), "put @workflow below @staticmethod"),
        (Mailer, "@workflow decorates functions, got <class"),
    ],
)
def test_functions_that_cannot_be_workflows(function: Any, message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        workflow(function)
    assert message in str(caught.value)


def test_a_refusal_says_where_the_function_is() -> None:
    line = plain.__code__.co_firstlineno
    with pytest.raises(DefinitionError, match=rf"plain \({__file__}:{line}\)"):
        workflow(plain)  # type: ignore[type-var]  # what the test is about


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (keywords, "takes `**kwargs`"),
        (keyword_only, "keyword-only parameter `must`"),
        (activity_generator, "has a `yield`; activity functions return their result"),
        (len, "@activity decorates functions"),
    ],
)
def test_functions_that_cannot_be_activities(function: Any, message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        activity(function)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": ""}, "must be a str that is not empty"),
        ({"name": "x" * 256}, "has 256 characters; the limit is 255"),
        ({"name": "a\0b"}, "holds U+0000"),
        ({"task_queue": ""}, "the name of a task queue"),
        ({"start_to_close": 0}, "start_to_close is 0; give a longer time, or None for no limit"),
        ({"heartbeat_timeout": -1}, "heartbeat_timeout is -1; a duration cannot be negative"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        activity(**options)(lambda: None)
    assert message in str(caught.value)


def test_looking_up_what_was_not_declared() -> None:
    with pytest.raises(DefinitionError, match=r"plain \(.*\) is a plain function; decorate it wi"):
        workflow_definition_of(plain)
    with pytest.raises(DefinitionError, match="declared with @activity; a workflow is needed here"):
        workflow_definition_of(add)
    with pytest.raises(DefinitionError, match="declared with @workflow; an activity is needed"):
        activity_definition_of(nightly)
    with pytest.raises(DefinitionError, match=r"3 is no activity; pass a function decorated"):
        activity_definition_of(3)
