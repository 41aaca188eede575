"""What the protocol does so that its invariants hold: each can be left out."""

from __future__ import annotations

__all__ = ["GUARDS"]

GUARDS = {
    "fence": "a commit checks that its epoch is the current one",
    "fence lock": "a commit locks the epoch's row until it is over",
    "expected event id": "a commit checks that the run is where it expects it",
    "raise before read": "a leader reads only after it has raised the epoch",
    "lease before commit": "the lease is checked before a commit is sent",
    "lease after read": "the lease is checked after each read",
    "silence": "a leader's session is ended only when its own lease is over",
    "own epoch": "after an unknown outcome only our own epoch is raised",
    "raise before look": "after an unknown outcome the epoch is raised before looking",
    "look": "after an unknown outcome the database is asked what happened",
    "commit before reply": "a change is acknowledged only once it is committed",
    "forget": "a failed commit drops the state that was built on it",
}
