"""Replay for people: does the code still do what it did, and if not, why.

    model         what a replay tells: outcome, divergence, differences
    replays       one history over one workflow function
    comparison    arguments that differ while the command is the same
    observation   a journal that remembers who asked for what, with locals
    explanation   a second replay, up to the divergence, that looks closely
    variables     locals as short, safe text
    sources       lines of code around a place
    payloads      payloads that nobody here can read

A replay is first done as a worker does it, at full speed. Only when it diverges
is it done again with an observer, so that looking closely costs nothing where
there is nothing to see.
"""

from sched_sdk._debug.model import (
    AgreedCommand,
    Difference,
    Divergence,
    Frame,
    Outcome,
    Raised,
    Replay,
    Side,
    Variable,
    Waiting,
)
from sched_sdk._debug.replays import replay_capture

__all__ = [
    "AgreedCommand",
    "Difference",
    "Divergence",
    "Frame",
    "Outcome",
    "Raised",
    "Replay",
    "Side",
    "Variable",
    "Waiting",
    "replay_capture",
]
