"""The durable core: state, decisions and effects as data.

    decide(state, input, now)  →  Decision(events, records, effects)
    evolve(state, event)       →  state
    put_record(state, record)  →  state

No clock, no randomness, no I/O, no logging. Whatever is random or timed is an
argument. `transitions` lists what is legal.
"""

from .decide import decide
from .evolve import evolve, put_record, restore_activity

__all__ = ["decide", "evolve", "put_record", "restore_activity"]
