"""Findings as SARIF 2.1.0, the format that code scanning services read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sched_cli.check.rules import RULES

if TYPE_CHECKING:
    from sched_cli.check.checker import Result
    from sched_cli.check.findings import Call, Finding, Rule

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_INDEX = {rule: index for index, rule in enumerate(RULES)}


def as_sarif(result: Result) -> dict[str, Any]:
    """The log of one run."""
    from importlib.metadata import version

    driver = {
        "name": "sched check",
        "version": version("sched-engine"),
        "rules": [_rule(rule) for rule in RULES.values()],
    }
    run = {
        "tool": {"driver": driver},
        # Else columns would be counted in UTF-16 code units.
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding) for finding in result.findings],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": rule.name,
        "shortDescription": {"text": rule.summary},
        "help": {"text": rule.instead},
        "defaultConfiguration": {"level": "error"},
    }


def _result(finding: Finding) -> dict[str, Any]:
    region = {
        "startLine": finding.line,
        "startColumn": finding.column,
        "endLine": finding.end_line,
        "endColumn": finding.end_column,
        "snippet": {"text": finding.source},
    }
    result: dict[str, Any] = {
        "ruleId": finding.rule.id,
        "ruleIndex": _INDEX[finding.rule.id],
        "level": "error",
        "message": {"text": f"{finding.message}. {finding.instead}"},
        "locations": [_location(finding.path, region)],
    }
    if finding.calls:
        result["relatedLocations"] = [
            _caller(call, number) for number, call in enumerate(finding.calls, start=1)
        ]
    return result


def _caller(call: Call, number: int) -> dict[str, Any]:
    return {
        "id": number,
        **_location(call.path, {"startLine": call.line}),
        "message": {"text": f"called from {call.function}"},
    }


def _location(path: str, region: dict[str, Any]) -> dict[str, Any]:
    as_path = Path(path)
    # A relative path is relative to the folder that was checked: the repository's, in CI.
    uri = as_path.as_uri() if as_path.is_absolute() else quote(as_path.as_posix())
    return {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": region}}
