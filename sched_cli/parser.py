"""Commands and nouns as the parser sees them: their help, and what they say of a typo.

A command's help is its docstring, its arguments and options, and its examples,
which stand above its function:

    @examples("sched workflow show order-7", "sched workflow show order-7 -o json")
    def show(...) -> None:

`noun` makes a group, `add` puts a command into one. The reference in docs/cli.md is
made from the same things.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup

from sched_cli.access import reaching
from sched_cli.coercion import quicken
from sched_cli.errors import EXIT_USAGE, UsageError
from sched_cli.global_options import EVERYWHERE
from sched_cli.secrets import redact
from sched_cli.suggesting import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Command", "Commands", "Noun", "add", "examples", "examples_of", "noun", "usage"]

FunctionT = TypeVar("FunctionT", bound="Callable[..., None]")

_EXAMPLES: dict[Any, tuple[str, ...]] = {}
_EXAMPLES_OF_A_NOUN = 4
# Options have their dashes in common.
_ALIKE = 0.7
_FIRST_STEPS = (
    "sched init my-app",
    "sched dev app.py",
    "sched workflow start HelloWorld --input world --wait",
    "sched tui",
)

# Not exported under a name of its own.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]
_NoArguments = next(
    each for each in _UsageError.__subclasses__() if each.__name__ == "NoArgsIsHelpError"
)


def examples(*lines: str) -> Callable[[FunctionT], FunctionT]:
    """Command lines for the help of the command that this function is. They are run by
    a test, so they have to work."""

    def note(function: FunctionT) -> FunctionT:
        _EXAMPLES[function] = lines
        return function

    return note


def examples_of(command: Any) -> tuple[str, ...]:
    """The examples of a command; of a noun, the first one of its first commands."""
    if isinstance(command, Commands):
        return _FIRST_STEPS
    if isinstance(command, TyperGroup):
        first = list(command.commands.values())[:_EXAMPLES_OF_A_NOUN]
        return tuple(examples_of(one)[0] for one in first)
    return _EXAMPLES.get(inspect.unwrap(command.callback), ())


def usage(command: Any) -> str:
    """ "[OPTIONS] NAME [APP]...", behind the command's own name."""
    if isinstance(command, TyperGroup):
        return "COMMAND [ARGS]..."
    given = [one for one in command.params if isinstance(one, TyperArgument)]
    return " ".join(["[OPTIONS]", *map(_usage_of, given)])


def _usage_of(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    name = name if argument.required else f"[{name.strip('[]')}]"
    return name if argument.nargs == 1 else f"{name}..."


class _Completing:
    """A command line that a shell asks about: it knows the options that stand anywhere,
    and values are left as they were typed, since converting them takes longer than
    all the rest."""

    def get_params(self, ctx: Any) -> list[Any]:
        parameters: list[Any] = super().get_params(ctx)  # type: ignore[misc]  # of the parser's class
        if not ctx.resilient_parsing:
            return parameters
        root = ctx.find_root().command
        if self is not root:
            parameters += [one for one in root.params if one.opts[0] in EVERYWHERE]
        for parameter in parameters:
            parameter.process_value = _as_typed
        return parameters


def _as_typed(_ctx: Any, value: Any) -> Any:
    return value


class Command(_Completing, TyperCommand):
    """One command."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the parser's signature
        return usage(self).split()

    def format_options(self, ctx: Any, formatter: Any) -> None:
        arguments, options = [], []
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is None:
                continue
            if isinstance(parameter, TyperArgument):
                arguments.append((_usage_of(parameter), parameter.help or ""))
            else:
                options.append(record)
        for title, rows in (("Arguments", arguments), ("Options", options)):
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        _write_examples(self, formatter)
        super().format_epilog(ctx, formatter)

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **extra: Any) -> Any:
        given = list(args)
        try:
            return super().make_context(info_name, args, *rest, **extra)
        except _UsageError as error:
            _say_it_better(error, given)
            if error.ctx is None:  # type: ignore[attr-defined]  # of every one
                parent = extra["parent"].command_path
                error.sched_command = f"{parent} {info_name}"  # type: ignore[attr-defined]  # ours
            raise


class Noun(_Completing, TyperGroup):
    """What several commands are about."""

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **extra: Any) -> Any:
        try:
            return super().make_context(info_name, args, *rest, **extra)
        except _UsageError as error:
            _say_where_it_stands(error, self)
            raise

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the parser's signature
        return usage(self).split()

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        _write_examples(self, formatter)
        super().format_epilog(ctx, formatter)


class Commands(Noun):
    """All of them. What the parser does not understand, it repeats: a DSN in a wrong
    place too."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        quicken(self, ctx)
        return super().parse_args(ctx, args)

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run a line; returns its exit code, or None. Raises UsageError for one that is
        not understood, and BrokenPipeError when nobody reads what is printed."""
        try:
            return super().main(*args, **{**extra, "standalone_mode": False})
        except _NoArguments as error:
            error.show()  # type: ignore[attr-defined]  # the help
            return EXIT_USAGE
        except _UsageError as error:
            raise _in_our_words(error) from None
        except _NobodyReadsError:
            raise BrokenPipeError from None

    def make_context(self, *args: Any, **extra: Any) -> Any:
        with _told_of_a_closed_pipe():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: Any) -> Any:
        with _told_of_a_closed_pipe():
            return super().invoke(ctx)


class _NobodyReadsError(Exception):
    """A BrokenPipeError that the parser does not take for a failure."""


@contextlib.contextmanager
def _told_of_a_closed_pipe() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise _NobodyReadsError from None


def noun(help_text: str) -> typer.Typer:
    """An empty group of commands."""
    app = typer.Typer(
        cls=Noun,
        help=help_text,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    # Or typer would make an only command the noun itself.
    app.callback()(_no_options)
    return app


def add(app: typer.Typer, name: str, function: Callable[..., None]) -> None:
    """Put a command into a group."""
    app.command(name, cls=Command)(reaching(function))


def _no_options() -> None:
    pass


def _write_examples(command: Any, formatter: Any) -> None:
    lines = examples_of(command)
    if lines:
        with formatter.section("Examples"):
            indent = " " * formatter.current_indent
            formatter.write("".join(f"{indent}{line}\n" for line in lines))


# How the library that checks values says what is wrong, and how we do.
_WORDS = (
    (re.compile(r"Input should be a valid integer.*"), "{value} is no whole number."),
    (re.compile(r"Input should be a valid (?:number|decimal).*"), "{value} is no number."),
    (
        re.compile(r"Input should be greater than or equal to (\S+)"),
        "{value} is too small; the least is {0}.",
    ),
    (
        re.compile(r"Input should be less than or equal to (\S+)"),
        "{value} is too large; the most is {0}.",
    ),
    (re.compile(r"Value error, (.*)", re.DOTALL), "{0}"),
    (re.compile(r"Got unexpected extra argument\(?s?\)? \((.*)\)"), "Nothing is known of {0!r}."),
)
_NONE_OF_THESE = re.compile(r"'(.*)' is not one of (.*)", re.DOTALL)


def _say_it_better(error: Any, given: list[str]) -> None:
    """An option that is none with those that are like it, a value in whole sentences."""
    option = getattr(error, "option_name", None)
    if option and hasattr(error, "possibilities"):
        known = {*(error.possibilities or ()), *EVERYWHERE}
        error.message = (
            f"No such option: {option}.{did_you_mean(option, sorted(known), cutoff=_ALIKE)}"
        )
        error.possibilities = None
    for theirs, ours in _WORDS:
        if found := theirs.fullmatch(error.message):
            value = _value_of(getattr(error, "param", None), given)
            error.message = ours.format(*found.groups(), value=value)
    if found := _NONE_OF_THESE.fullmatch(error.message):
        names = re.findall(r"'([^']*)'", found[2])
        error.message = f"{error.message.rstrip('.')}.{did_you_mean(found[1], names)}"


def _say_where_it_stands(error: Any, group: TyperGroup) -> None:
    """An option before the command that it belongs to."""
    option = getattr(error, "option_name", None)
    if not option or not hasattr(error, "possibilities"):
        return
    if any(option in one.opts for command in _commands_of(group) for one in command.params):
        path = error.ctx.command_path
        error.message = f"{option} stands behind the command: {path} COMMAND {option} …"
    else:
        error.message = (
            f"No such option: {option}.{did_you_mean(option, EVERYWHERE, cutoff=_ALIKE)}"
        )
    error.possibilities = None


def _commands_of(group: TyperGroup) -> Iterator[Any]:
    for command in group.commands.values():
        if isinstance(command, TyperGroup):
            yield from _commands_of(command)
        else:
            yield command


def _in_our_words(error: Any) -> UsageError:
    """What the parser says, as every other mistake is said; with where to look."""
    message, parameter = error.format_message(), getattr(error, "param", None)
    if parameter is not None and not message.startswith("Missing "):
        name = max(parameter.opts, key=len)
        if isinstance(parameter, TyperArgument):
            name = _usage_of(parameter).strip("[].")
        message = f"{name}{' ' if error.message.startswith(chr(39)) else ': '}{error.message}"
    context = error.ctx
    where = context.command_path if context else getattr(error, "sched_command", "sched")
    stop = "" if message.endswith((".", "?", "\N{HORIZONTAL ELLIPSIS}")) else "."
    return UsageError(f"{redact(message)}{stop} See: {where} -h")


def _value_of(parameter: Any, given: list[str]) -> str:
    """What was typed for an option, or stands in its variable."""
    typed = ""
    for word, following in pairwise([*given, ""]):
        name, equals, value = word.partition("=")
        if parameter is not None and name in parameter.opts:
            typed = repr(value if equals else following)  # the last one counts
    if typed:
        return typed
    variables = getattr(parameter, "envvar", None) or ()
    for variable in [variables] if isinstance(variables, str) else variables:
        if variable in os.environ:
            return f"{os.environ[variable]!r} (of {variable})"
    return "this value"
