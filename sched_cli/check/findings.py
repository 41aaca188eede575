"""What a rule is, and what it found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ast

    from sched_cli.check.syntax import Module


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that workflow code must not do. Ids are never used again for another
    meaning: people write them into their sources."""

    id: str
    """`SCH` and three digits; the first is the group."""
    name: str
    summary: str
    """Why it is wrong, in one sentence."""
    instead: str
    """What to write instead, as an imperative."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What a rule says of one place in the code; the checker makes a Finding of it."""

    rule: Rule
    node: ast.AST
    message: str
    instead: str = ""
    """Where the rule's own advice does not fit."""
    module: Module | None = None
    """Where that is not the module of the code that was judged."""


@dataclass(frozen=True, slots=True)
class Call:
    """A place from which workflow code was reached."""

    path: str
    line: int
    function: str
    """The function that calls."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One problem, with its place. Lines and columns count from 1, columns in characters."""

    path: str
    line: int
    column: int
    rule: Rule = field(compare=False)
    end_line: int = field(compare=False)
    end_column: int = field(compare=False)
    """Behind the last character."""
    message: str
    instead: str = field(compare=False)
    source: str = field(compare=False)
    """The source line, as it is written."""
    declaration: str = field(compare=False)
    """The workflow (or, of payloads, the activity) that is concerned: its function's name."""
    calls: tuple[Call, ...] = field(compare=False)
    """How the declaration leads here, outermost first; empty in its own function."""
