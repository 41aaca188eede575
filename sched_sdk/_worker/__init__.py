"""The worker: a stream to the engine, and the runners behind it."""

from __future__ import annotations

from sched_sdk._worker.worker import Worker

__all__ = ["Worker"]
