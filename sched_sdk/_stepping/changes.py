"""Which locals are not what they were."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_sdk._stepping.model import Change

if TYPE_CHECKING:
    from sched_sdk._stepping.looking import Moment

__all__ = ["changes_between"]

# By task, function and how deep it is called there.
_Functions = dict[tuple[str, str, int], dict[str, str]]


def changes_between(before: Moment | None, now: Moment) -> tuple[Change, ...]:
    """Of the functions that stand in `now`; what has ended is no change."""
    old = _functions(before) if before is not None else {}
    changes = []
    for key, variables in _functions(now).items():
        known = old.get(key, {})
        for name in [*variables, *(name for name in known if name not in variables)]:
            was, is_now = known.get(name), variables.get(name)
            if was != is_now:
                changes.append(Change(function=key[1], name=name, before=was, after=is_now))
    return tuple(changes)


def _functions(moment: Moment) -> _Functions:
    found: _Functions = {}
    stacks = [(coroutine.task, coroutine.frames) for coroutine in moment.coroutines]
    current = next((one.task for one in moment.coroutines if one.current), "workflow")
    if all(frames is not moment.frames for _, frames in stacks):
        stacks.append((current, moment.frames))
    for task, frames in stacks:
        for depth, frame in enumerate(reversed(frames)):
            variables = {variable.name: variable.value for variable in frame.variables}
            found[task, frame.function, depth] = variables
    return found
