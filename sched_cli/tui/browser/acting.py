"""What can be done to workflows from here, to one or to many at once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sched_cli.tui.browser.link import LinkLostError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sched_cli.tui.browser.link import Link
    from sched_cli.tui.browser.model.run_list import RunKey
    from sched_sdk._client import WorkflowHandle

    Act = Callable[[WorkflowHandle[Any]], Awaitable[object]]

__all__ = ["Outcome", "act_on_all"]

_AT_ONCE = 32
_SHOWN_FAILURES = 3


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an action."""

    message: str
    failed: bool


async def act_on_all(link: Link, runs: Sequence[RunKey], what: str, act: Act) -> Outcome:
    """Do it to each of these; never raises for what the engine says.

    `what` is how it went in words, in the past: "Terminated".
    """
    from sched_sdk.errors import SchedError

    gate = asyncio.Semaphore(_AT_ONCE)
    failures: dict[str, int] = {}

    async def act_on(run: RunKey) -> None:
        async with gate:
            try:
                await link.ask(
                    lambda client: act(client.workflow(run.workflow_id, run_id=run.run_id))
                )
            except (SchedError, LinkLostError) as error:
                failures[str(error)] = failures.get(str(error), 0) + 1

    await asyncio.gather(*map(act_on, runs))
    return Outcome(_words(runs, what, failures), bool(failures))


def _words(runs: Sequence[RunKey], what: str, failures: dict[str, int]) -> str:
    failed = sum(failures.values())
    subject = runs[0].workflow_id if len(runs) == 1 else f"{len(runs) - failed} of {len(runs)} runs"
    if not failures:
        return f"{what} {runs[0].workflow_id if len(runs) == 1 else f'{len(runs)} runs'}."
    reasons = [
        f"{reason} ({count} times)" if count > 1 else reason
        for reason, count in list(failures.items())[:_SHOWN_FAILURES]
    ]
    more = len(failures) - _SHOWN_FAILURES
    reasons += [f"and {more} more reasons"] * (more > 0)
    if len(runs) == 1:
        return f"Nothing was done to {subject}: {reasons[0]}"
    return f"{what} {subject}; {failed} failed: {'; '.join(reasons)}"
