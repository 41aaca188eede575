"""The database's advisory lock, and the sessions that hold it or wait for it.

A model of what leadership on Postgres relies on: the lock belongs to a session;
when that ends, for whatever reason, the first that waits is granted it at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sim.database import Database
    from tests.sim.loop import Process

# A waiting statement is answered after so long, whatever the lock does.
LOCK_TIMEOUT_S = 0.5


class Session:
    """Of one process. `on_end` runs in it when the server has ended the session."""

    def __init__(self, process: Process, address: str, on_end: Callable[[], None]) -> None:
        self.process = process
        self.address = address
        self.on_end = on_end
        self.over = False


class LeaderRow:
    """The row that a leader renews."""

    def __init__(self) -> None:
        self.session: Session | None = None
        self.address = ""
        self.epoch = 0
        self.counter = 0
        self.renewed_at = 0.0


class LockServer:
    def __init__(self, database: Database) -> None:
        self._database = database
        self.holder: Session | None = None
        self.row = LeaderRow()
        self.sessions: dict[Session, None] = {}
        self._waiting: dict[Session, Callable[[Any], None]] = {}

    def open(self, session: Session) -> None:
        self.sessions[session] = None

    def wait(self, session: Session, answer: Callable[[Any], None]) -> None:
        """Answers True with the grant, or False when `LOCK_TIMEOUT_S` is over."""
        if session.over:
            answer(_over())
        elif self.holder is None or self.holder is session:
            self.holder = session
            answer(True)
        else:
            self._waiting[session] = answer
            self._database.loop.world_later(LOCK_TIMEOUT_S, self._give_up, session, answer)

    def _give_up(self, session: Session, answer: Callable[[Any], None]) -> None:
        if self._waiting.get(session) is answer:
            del self._waiting[session]
            answer(False)

    def release(self, session: Session) -> None:
        if self.holder is not session:
            return
        self.holder = None
        if self._waiting:
            first, answer = next(iter(self._waiting.items()))
            del self._waiting[first]
            self.holder = first
            answer(True)

    def end(self, session: Session, *, reason: str) -> None:
        """The server ends the session."""
        if session.over:
            return
        session.over = True
        self._database.trace.add("database", f"session of {session.process} ends: {reason}")
        self.sessions.pop(session, None)
        answer = self._waiting.pop(session, None)
        if answer is not None:
            answer(_over())
        self.release(session)
        if self._database.network.connected(session.process.name, "database"):
            session.process.call(session.on_end)

    def depose(self, session: Session) -> None:
        self.end(session, reason="it was silent")

    def end_sessions_of(self, process: Process, *, reason: str) -> None:
        for session in list(self.sessions):
            if session.process is process:
                self.end(session, reason=reason)

    # --- the leader's row ------------------------------------------------------------

    def seize(self, session: Session) -> None:
        row = self.row
        row.session, row.address = session, session.address
        row.counter += 1
        row.renewed_at = self._database.loop.time()

    def renew(self, session: Session, epoch: int) -> bool:
        row = self.row
        if session.over:
            raise _over()
        if row.session is not session:
            return False
        row.counter += 1
        row.epoch = max(row.epoch, epoch)
        row.renewed_at = self._database.loop.time()
        return True

    def watch(self) -> tuple[Session, int] | None:
        """Who holds the lock, and how far its counter is."""
        return None if self.holder is None else (self.holder, self.row.counter)


def _over() -> Exception:
    from tests.sim.database import Lost

    return Lost("the session is over")
