"""The version before `app`: workers serve it until they are started anew."""

from __future__ import annotations

import os
from pathlib import Path

from tests.chaos.notebook import Writer
from tests.chaos.shapes import ACTIVITIES, BEFORE
from tests.sim.ledger import open_ledger

open_ledger(Writer(Path(os.environ["CHAOS_LEDGER"])))
globals().update({function.__name__: function for function in (*BEFORE, *ACTIVITIES)})
