"""How tasks and names look in Redis.

<prefix>:marker                              vanishes when Redis is wiped
<prefix>:keys                                set of the names below
<prefix>:tasks:activity:<task queue>/<name>  stream of tasks; field `t`
<prefix>:tasks:workflow:<task queue>/<name>
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import msgspec
from msgspec import Struct

from sched_server.queue.port import QueuedTask
from sched_server.store.port import ACTIVITY_TASK, WORKFLOW_TASK, TaskKey

if TYPE_CHECKING:
    from collections.abc import Sequence

GROUP = "sched"
# One name for all engines: only the leader reads, and names would pile up.
CONSUMER = "leader"
FIELD = "t"
MINIMUM_VERSION = (6, 2)

Command = tuple[str | int | bytes, ...]
Reply = Any
"""What Redis answered: bytes, int, list, None, or a ResponseError as a value."""

_KINDS = {WORKFLOW_TASK: "workflow", ACTIVITY_TASK: "activity"}
_NUMBERS = {word: number for number, word in _KINDS.items()}
_PREFIX = re.compile(r"[!-~]{1,200}")

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[int, int, int]).decode


class Names:
    """The names of one cluster's keys."""

    def __init__(self, prefix: str) -> None:
        if not _PREFIX.fullmatch(prefix):
            raise ValueError(
                "A prefix of Redis keys is 1 to 200 ASCII characters without spaces; "
                f"got {prefix[:220]!r}."
            )
        self.marker = f"{prefix}:marker"
        self.keys = f"{prefix}:keys"
        self._tasks = f"{prefix}:tasks:"

    def stream(self, key: TaskKey) -> str:
        """Readable, and different for different keys: what separates is quoted."""
        queue, name = quote(key.task_queue, safe=""), quote(key.name, safe="")
        return f"{self._tasks}{_KINDS[key.kind]}:{queue}/{name}"

    def key(self, stream: bytes) -> TaskKey | None:
        """The key of a stream's name; None if it is none of ours."""
        text = stream.decode("utf-8", "replace")
        kind, _, rest = text.removeprefix(self._tasks).partition(":")
        queue, slash, name = rest.partition("/")
        if not (text.startswith(self._tasks) and kind in _NUMBERS and slash):
            return None
        return TaskKey(task_queue=unquote(queue), kind=_NUMBERS[kind], name=unquote(name))


def encode_task(task: QueuedTask) -> bytes:
    return _encode((task.run_key, task.seq, task.attempt))


def decode_entries(
    key: TaskKey, entries: Sequence[Reply]
) -> tuple[list[tuple[bytes, QueuedTask]], list[bytes]]:
    """Tasks with their entry ids, and the ids of entries that hold none:
    deleted ones, or of somebody else's making."""
    tasks: list[tuple[bytes, QueuedTask]] = []
    others: list[bytes] = []
    for entry in entries:
        if not entry:
            continue
        entry_id, fields = entry
        try:
            run_key, seq, attempt = _decode(fields[1])
        except (msgspec.MsgspecError, TypeError, IndexError):
            others.append(entry_id)
            continue
        tasks.append((entry_id, QueuedTask(key, run_key, seq, attempt)))
    return tasks, others


def finish_commands(stream: str, entry_ids: Sequence[bytes]) -> list[Command]:
    """Acknowledge and delete; both or none, else entries would stay that
    nobody can read."""
    return [
        ("MULTI",),
        ("XACK", stream, GROUP, *entry_ids),
        ("XDEL", stream, *entry_ids),
        ("EXEC",),
    ]


class ServerFacts(Struct, frozen=True):
    """What the server says of itself (`INFO server`, `INFO memory`)."""

    version: str
    run_id: str
    """Another one after every restart."""
    mode: str
    eviction: str

    def refusal(self) -> str:
        """Why this server cannot be used; empty if it can."""
        numbers = tuple(int(number) for number in re.findall(r"\d+", self.version)[:2])
        if numbers < MINIMUM_VERSION:
            return (
                f"Redis {self.version or '(unknown version)'} is too old: sched needs 6.2 or "
                "newer (XAUTOCLAIM). Upgrade it, or leave out --redis-url."
            )
        if self.mode == "cluster":
            return (
                "This is a Redis Cluster; sched needs a single server (or a primary with "
                "replicas). Point --redis-url at one."
            )
        return ""

    def warnings(self) -> tuple[str, ...]:
        if not self.eviction.startswith("allkeys"):
            return ()
        warning = (
            f"Redis evicts keys (maxmemory-policy {self.eviction}), waiting tasks among them; "
            "they would be read again from the database, late. Set maxmemory-policy noeviction."
        )
        return (warning,)


def parse_info(info: bytes) -> dict[str, str]:
    lines = info.decode("utf-8", "replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line and not line.startswith("#"))


def server_facts(info: bytes) -> ServerFacts:
    values = parse_info(info)
    return ServerFacts(
        version=values.get("redis_version", ""),
        run_id=values.get("run_id", ""),
        mode=values.get("redis_mode", ""),
        eviction=values.get("maxmemory_policy", ""),
    )
