"""Finding, from the source alone, what would make a workflow go wrong in replay.

    files ──sources──▶ modules ──graph──▶ workflow code ──rules──▶ findings ──output──▶ text …

Nothing is imported: not the app, and nothing that the app imports. What is judged is
*workflow code*: the body of every function with `@workflow`, and of the project's own
functions that it calls. Activities, steps and what stands at module level run outside
the world that is replayed, so they are not judged.

    syntax      one parsed file: tree, source lines, `# sched: ignore` comments
    scopes      which name is bound to what, where
    names       what an expression means: `time.time`, a function of the project, a context
    project     the modules of the project, loaded as names lead to them
    declared    which functions are workflows and activities
    graph       the workflow code, and the way that leads to each piece of it
    rules/      a file for each group of rules; `rules/__init__.py` is the table

A name whose meaning is not certain has none, and no rule speaks of it: a checker that
cries wolf is switched off.
"""

from __future__ import annotations

from sched_cli.check.checker import Result, check
from sched_cli.check.findings import Finding, Rule

__all__ = ["Finding", "Result", "Rule", "check"]
