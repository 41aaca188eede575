"""Which rules `--select` and `--ignore` leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_cli.check.rules import RULES
from sched_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable


def chosen_rules(select: Iterable[str], ignore: Iterable[str]) -> frozenset[str]:
    """The ids of the rules to apply: those selected (default: all) but those ignored.

    Each item is an id, the beginning of some (`SCH1`), or several separated by commas.
    Raises UsageError for one that is no rule.
    """
    selected = _rules(select, "--select") or frozenset(RULES)
    return selected - _rules(ignore, "--ignore")


def _rules(given: Iterable[str], option: str) -> frozenset[str]:
    prefixes = [word.strip().upper() for item in given for word in item.split(",") if word.strip()]
    chosen: set[str] = set()
    for prefix in prefixes:
        found = {rule for rule in RULES if prefix.startswith("SCH") and rule.startswith(prefix)}
        if not found:
            raise UsageError(f"{option} {prefix}: there is no such rule. There are {_known()}.")
        chosen |= found
    return frozenset(chosen)


def _known() -> str:
    return ", ".join(f"{rule.id} ({rule.name})" for rule in RULES.values())
