"""`python -m tests.chaos`: real processes and servers, broken at random, by seed."""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import signal
import sys

# Processes are started while clients talk; that is no fork that gRPC must survive.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")

from sched_sdk.errors import EngineUnavailableError
from tests.chaos.plan import Plan, draw
from tests.chaos.run import Outcome, run

_EVENTS_SHOWN = 80


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=600.0, help="how long things break (%(default)g)"
    )
    parser.add_argument("--seed", type=int, help="which plan (default: drawn)")
    parser.add_argument("--workflows", type=int, default=500, help="how many (%(default)s)")
    arguments = parser.parse_args()
    seed = secrets.randbelow(10**9) if arguments.seed is None else arguments.seed
    plan = draw(seed, seconds=arguments.seconds, workflows=arguments.workflows)
    print(
        f"seed {seed}: {plan.engines} engines, {plan.workers} workers, {len(plan.jobs)} workflows, "
        f"{len(plan.faults)} faults in {plan.seconds:g} s",
        flush=True,
    )
    try:
        outcome = asyncio.run(_until_told_to_stop(plan))
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("interrupted; everything that was started is gone", file=sys.stderr)
        return 130
    report(plan, outcome)
    return 1 if outcome.timeline.violations else 0


async def _until_told_to_stop(plan: Plan) -> Outcome:
    running = asyncio.ensure_future(run(plan, lambda text: print(f"note: {text}", flush=True)))
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_unless_it_is_over)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, running.cancel)
    return await running


def _unless_it_is_over(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """What clients still wanted when a run was given up is nobody's business."""
    if not isinstance(context.get("exception"), EngineUnavailableError):
        loop.default_exception_handler(context)


def report(plan: Plan, outcome: Outcome) -> None:
    timeline = outcome.timeline
    faults = ", ".join(f"{kind} {count}" for kind, count in sorted(timeline.faults.items()))
    print(f"faults: {timeline.faults.total()} ({faults or 'none'})")
    print(
        f"workflows: {outcome.finished} of {len(plan.jobs)} ended, the last "
        f"{outcome.calm_s:.1f} s behind the last fault; {outcome.runs} runs, "
        f"{outcome.events} events"
    )
    print(
        f"takeovers: {outcome.takeovers}; attempts of activities repeated: {outcome.repeated}; "
        f"processes that ended by themselves: {outcome.unasked}"
    )
    if not timeline.violations:
        print(f"seed {plan.seed}: nothing violated")
        return
    print(f"seed {plan.seed}: {len(timeline.violations)} violations")
    for checker, message in timeline.violations[:10]:
        print(f"  {checker}: {message}")
    print("what is known of the first, and all faults:")
    print("\n".join(timeline.about(timeline.violations[0][1], _EVENTS_SHOWN)))
    print(f"logs and notes: {outcome.logs}")
    print(
        f"repeat it with: python -m tests.chaos --seed {plan.seed} "
        f"--seconds {plan.seconds:g} --workflows {len(plan.jobs)}"
    )


if __name__ == "__main__":
    sys.exit(main())
