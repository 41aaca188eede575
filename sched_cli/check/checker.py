"""From files to findings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sched_cli.check.declared import workflows_of
from sched_cli.check.findings import Finding
from sched_cli.check.graph import workflow_code
from sched_cli.check.names import Names
from sched_cli.check.project import Project
from sched_cli.check.rules import CODE_CHECKS, PROJECT_CHECKS
from sched_cli.check.rules.whole_project import WholeProject

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from sched_cli.check.findings import Call, Problem
    from sched_cli.check.sources import SourceFile
    from sched_cli.check.syntax import Module


@dataclass(frozen=True, slots=True)
class Result:
    """What a check came to."""

    findings: tuple[Finding, ...]
    """By file and line."""
    files: int
    """How many were asked for."""
    workflows: int
    """How many are in them."""


def check(files: Iterable[SourceFile], rules: Collection[str]) -> Result:
    """Judge the workflow code of some files by the rules with these ids.

    Raises UsageError for a file that cannot be read or parsed.
    """
    project = Project(files)
    names = Names(project)
    workflows = list(workflows_of(project.given, names))
    code = workflow_code(workflows, names)
    found = set(_findings(WholeProject(project, names, code)))
    kept = {finding for finding in found if finding.rule.id in rules}
    return Result(tuple(sorted(kept)), len(project.given), len(workflows))


def _findings(project: WholeProject) -> Iterator[Finding]:
    for code in project.code:
        for check_code in CODE_CHECKS:
            for problem in check_code(code):
                yield from _finding(problem, code.module, code.declaration, code.calls)
    for check_project in PROJECT_CHECKS:
        for declaration, module, calls, problem in check_project(project):
            yield from _finding(problem, module, declaration, calls)


def _finding(
    problem: Problem, module: Module, declaration: str, calls: tuple[Call, ...]
) -> Iterator[Finding]:
    """The finding that a problem is, unless a comment asks to ignore it."""
    node = problem.node
    module = problem.module or module
    first = int(getattr(node, "lineno", 1))
    last = int(getattr(node, "end_lineno", None) or first)
    start = int(getattr(node, "col_offset", 0))
    if module.is_ignored(problem.rule.id, first, last):
        return
    yield Finding(
        path=module.shown,
        line=first,
        column=module.column(first, start),
        rule=problem.rule,
        end_line=last,
        end_column=module.column(last, int(getattr(node, "end_col_offset", None) or start + 1)),
        message=problem.message,
        instead=problem.instead or problem.rule.instead,
        source=module.line(first),
        declaration=declaration,
        calls=calls,
    )
