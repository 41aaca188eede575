"""`# sched: ignore[RULE, …]`: a comment that says that something is meant.

It speaks to `sched check`, which reads the source, and to the guard, which sees
the calls of running workflow code. `sched check` imports nothing of the SDK and
reads the comment by itself; a test compares the two.
"""

from __future__ import annotations

import re

__all__ = ["ignored_rules"]

_IGNORE = re.compile(r"#\s*sched:\s*ignore(?:\[(?P<rules>[^\]]*)\])?(?![\w\[])")
_EVERYTHING = None


def ignored_rules(comment: str) -> frozenset[str] | None:
    """The rules that a comment names; None: all of them. A comment that does not
    speak of it names none."""
    found = _IGNORE.search(comment)
    if found is None:
        return frozenset()
    rules = found["rules"]
    if rules is None:
        return _EVERYTHING
    return frozenset(rule.strip().upper() for rule in rules.split(","))
