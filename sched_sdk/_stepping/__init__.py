"""Time travel: a history over a workflow function, one position at a time.

    model       what is seen at a position, as plain data
    timeline    all positions of a history, in the order in which code lived them
    stepper     going from one to another
    run         a replay that stops whenever the code is about to get something
    playback    a run that plays up to any activation, and looks closely at one
    looking     how a run stands: frames, locals, what each coroutine awaits
    changes     which locals are not what they were
    lines       when a line of code is about to run
    reports     a divergence as a position
    debugger    Python's own debugger inside the workflow function; imported where it is used

Knows nothing of any user interface.
"""

from sched_sdk._stepping.lines import LineNotFoundError, Place, find_line
from sched_sdk._stepping.model import Change, Coroutine, Issued, Phase, View
from sched_sdk._stepping.stepper import Stepper

__all__ = [
    "Change",
    "Coroutine",
    "Issued",
    "LineNotFoundError",
    "Phase",
    "Place",
    "Stepper",
    "View",
    "find_line",
]
