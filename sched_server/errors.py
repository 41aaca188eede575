"""What the engine answers when it does not do what was asked, and why it
does not start."""

from __future__ import annotations

from sched_server.core.decision import Rejection

__all__ = ["EngineSettingsError", "EngineStartError", "Rejection", "Unavailable"]


class EngineStartError(Exception):
    """The engine cannot start; the message says why and what to do."""


class EngineSettingsError(EngineStartError):
    """Its settings, or a file that they name, cannot be used."""


class Unavailable(Exception):  # noqa: N818 - it is an answer
    """Nothing was promised; the same request may be sent again."""
