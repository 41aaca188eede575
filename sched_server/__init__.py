"""The engine of sched: histories, decisions, dispatch, and its gRPC API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from sched_server.errors import EngineStartError
    from sched_server.host import Role, Standing
    from sched_server.server import EngineServer
    from sched_server.settings import EngineSettings

__all__ = ["EngineServer", "EngineSettings", "EngineStartError", "Role", "Standing", "__version__"]

_HOMES = {
    "EngineServer": "sched_server.server",
    "EngineSettings": "sched_server.settings",
    "EngineStartError": "sched_server.errors",
    "Role": "sched_server.host",
    "Standing": "sched_server.host",
}


def __getattr__(name: str) -> Any:
    # Loaded when used: importing a submodule (the store port, say) should not
    # load the whole server.
    if name in _HOMES:
        import importlib

        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
