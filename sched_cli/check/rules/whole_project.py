"""What the rules about activities and payloads look at: more than one function."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sched_cli.check.findings import Call, Problem
from sched_cli.check.syntax import Module

if TYPE_CHECKING:
    from sched_cli.check.code import Code
    from sched_cli.check.names import Names
    from sched_cli.check.project import Project

PlacedProblem = tuple[str, Module, tuple[Call, ...], Problem]
"""The declaration that is concerned, the module, the way there, and the problem."""


@dataclass(frozen=True, slots=True)
class WholeProject:
    project: Project
    names: Names
    code: list[Code]
    """All workflow code."""

    def of_code(self, code: Code, problem: Problem) -> PlacedProblem:
        return code.declaration, code.module, code.calls, problem


PlacedProblems = Iterator[PlacedProblem]
