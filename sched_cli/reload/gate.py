"""What stands between a child with new code and its taking over.

    the child is loaded, the verdict is there
        nothing breaks, or it is kept already ──▶ open
        something breaks, `hold`              ──▶ held: the child serves by itself
                                                  once what would break is over
        something breaks, `route`             ──▶ the child that serves keeps it; when
                                                  the engine knows that ──▶ open

The gate opens at once when there is no old code any more that could keep anything.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from sched_cli.reload.check import Check
from sched_cli.reload.keepers import runs_of
from sched_cli.reload.on_break import OnBreak
from sched_cli.reload.protocol import Order
from sched_cli.reload.verdict import Break, Verdict

if TYPE_CHECKING:
    from sched_cli.reload.keepers import Keepers, Worker
    from sched_cli.reload.verdict import CheckOptions

# The engine answers at once; without it the new code cannot serve anyway.
_KNOWS_WITHIN_S = 5.0
# Each is a process; who has more generations of code at work has lost the thread.
MOST_KEEPERS = 5


class GateAnnouncer(Protocol):
    """Tells people what is decided here."""

    def fits(self, verdict: Verdict) -> None:
        """Nothing that was looked at would break."""

    def breaks(self, verdict: Verdict, *, held: bool, too_many: bool) -> None:
        """Something would. `held`: the new code does not take over; `too_many`:
        because there are too many processes with old code already."""


class Gate:
    """For one child with new code. Belongs to the running event loop."""

    def __init__(
        self,
        child: Worker,
        serving: Worker,
        keepers: Keepers,
        options: CheckOptions,
        on_break: OnBreak,
        announcer: GateAnnouncer,
    ) -> None:
        self._child = child
        self._serving = serving
        self._keepers = keepers
        self._on_break = on_break
        self._announcer = announcer
        self._check = Check(options, self._on_verdict)
        self._loaded = False
        self._time: asyncio.TimerHandle | None = None
        self._opened = False
        self.verdict: Verdict | None = None
        self.stays: tuple[Break, ...] = ()
        """What the child that serves is to keep when the new one takes over."""

    def child_loaded(self) -> None:
        """It waits now."""
        self._loaded = True
        if self._opened:
            self._child.tell(Order("serve").encode())
            return
        self._check.hurry()
        self._decide()

    def kept(self) -> None:
        """The engine knows what the child that serves keeps."""
        if self._time is not None:
            self.open()

    def open(self) -> None:
        """Let the child serve, without waiting for anything more."""
        if self._opened:
            return
        self._opened = True
        self.close()
        if self._loaded:
            self._child.tell(Order("serve").encode())

    def close(self) -> None:
        """Nothing is to be decided any more."""
        self._check.cancel()
        if self._time is not None:
            self._time.cancel()
            self._time = None

    def _on_verdict(self, verdict: Verdict) -> None:
        self.verdict = verdict
        self._decide()

    def _decide(self) -> None:
        verdict = self.verdict
        if verdict is None or not self._loaded or self._opened:
            return
        if not verdict.breaks:
            self._announcer.fits(verdict)
            self.open()
            return
        stays = tuple(one for one in verdict.breaks if not self._keepers.has(one.run_id))
        too_many = bool(stays) and len(self._keepers) >= MOST_KEEPERS
        held = self._on_break is OnBreak.HOLD or too_many
        self._announcer.breaks(verdict, held=held, too_many=too_many)
        if held:
            self._child.tell(Order("serve", runs_of(verdict.breaks)).encode())
        elif stays:
            self.stays = stays
            self._serving.tell(Order("keep", runs_of(stays)).encode())
            loop = asyncio.get_running_loop()
            self._time = loop.call_later(_KNOWS_WITHIN_S, self.open)
        else:
            self.open()
