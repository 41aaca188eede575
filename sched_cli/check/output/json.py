"""Findings as JSON; see the command line's documentation for the shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sched_cli.check.checker import Result
    from sched_cli.check.findings import Finding


def as_json(result: Result) -> dict[str, Any]:
    """The result in JSON's own types."""
    return {
        "files": result.files,
        "workflows": result.workflows,
        "findings": [finding_as_json(finding) for finding in result.findings],
    }


def finding_as_json(finding: Finding) -> dict[str, Any]:
    """One of them."""
    return {
        "rule": finding.rule.id,
        "name": finding.rule.name,
        "message": finding.message,
        "instead": finding.instead,
        "path": finding.path,
        "line": finding.line,
        "column": finding.column,
        "end_line": finding.end_line,
        "end_column": finding.end_column,
        "source": finding.source,
        "declaration": finding.declaration,
        "calls": [
            {"path": call.path, "line": call.line, "function": call.function}
            for call in finding.calls
        ],
    }
