"""Makes a plan that fails smaller, as long as the same checker finds something.

Halves of the workflows and of the faults are left out, then smaller parts, then
single ones; then rates, processes and odd settings. What is left is printed as
a script, to be kept as a test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from tests.sim.plan import Act, Fault, Job, Plan, Rates
from tests.sim.run import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.sim.run import Outcome

T = TypeVar("T")

_MOST_RUNS = 300
_SIMPLEST: dict[str, Any] = {
    "engines": 1,
    "workers": 1,
    "clients": 1,
    "drift": 0.0,
    "versions": "",
    "cached_executions": 10_000,
    "cached_workflows": 1000,
    "slots": 50,
    "batch": 256,
    "queue_window": 10_000,
}


class _Search:
    def __init__(self, plan: Plan, kind: str) -> None:
        self.plan = plan
        self._kind = kind
        self._left = _MOST_RUNS

    def accept(self, plan: Plan) -> bool:
        """Whether this one fails as well; then it is the new one."""
        if self._left <= 0 or plan == self.plan:
            return False
        self._left -= 1
        if run(plan).kind != self._kind:
            return False
        self.plan = plan
        return True


def shrink(outcome: Outcome) -> Plan:
    search = _Search(outcome.plan, outcome.kind)
    progress = True
    while progress:
        before = search.plan
        _parts(search, "jobs")
        _parts(search, "faults")
        for name, value in _SIMPLEST.items():
            search.accept(msgspec.structs.replace(search.plan, **{name: value}))
        for name in Rates.__struct_fields__:
            rates = msgspec.structs.replace(search.plan.rates, **{name: 0.0})
            search.accept(msgspec.structs.replace(search.plan, rates=rates))
        _jobs(search)
        progress = search.plan != before
    return search.plan


def _parts(search: _Search, name: str) -> None:
    """Leave out ever smaller parts of a sequence."""
    size = len(getattr(search.plan, name))
    while size:
        start = 0
        while start < len(getattr(search.plan, name)):
            kept = getattr(search.plan, name)
            fewer = kept[:start] + kept[start + size :]
            if not search.accept(msgspec.structs.replace(search.plan, **{name: fewer})):
                start += size
        size //= 2


def _jobs(search: _Search) -> None:
    for index in range(len(search.plan.jobs)):
        for simpler in _simpler(search.plan.jobs[index]):
            jobs = list(search.plan.jobs)
            jobs[index] = simpler
            search.accept(msgspec.structs.replace(search.plan, jobs=tuple(jobs)))


def _simpler(job: Job) -> Iterator[Job]:
    yield msgspec.structs.replace(job, again="")
    yield msgspec.structs.replace(job, start_delay_s=0.0)
    for index, act in enumerate(job.acts):
        if not job.waits_for(act):
            yield msgspec.structs.replace(job, acts=job.acts[:index] + job.acts[index + 1 :])


def script_of(plan: Plan) -> str:
    """Python that runs the plan, with what differs from the defaults."""
    return f"run({_source(plan)})"


def _source(value: object) -> str:
    if isinstance(value, tuple):
        return "(" + "".join(f"{_source(entry)}, " for entry in value).rstrip() + ")"
    if not isinstance(value, Plan | Job | Act | Fault | Rates):
        return repr(value)
    defaults = dict(
        zip(reversed(value.__struct_fields__), reversed(value.__struct_defaults__), strict=False)
    )
    shown = {
        name: getattr(value, name)
        for name in value.__struct_fields__
        if name not in defaults or not _is_default(defaults[name], getattr(value, name))
    }
    arguments = ", ".join(f"{name}={_source(shown[name])}" for name in shown)
    return f"{type(value).__name__}({arguments})"


def _is_default(default: Any, value: object) -> bool:
    factory: Callable[[], object] | None = getattr(default, "factory", None)
    return value == (factory() if factory is not None else default)
