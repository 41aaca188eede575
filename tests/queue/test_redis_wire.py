"""Names, entries and what a server says of itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sched_server.queue.port import QueuedTask, TaskKey
from sched_server.queue.redis.wire import (
    Names,
    ServerFacts,
    decode_entries,
    encode_task,
    server_facts,
)
from tests.queue.conformance import EMAILS, queued

NAMES = Names("sched:orders")
numbers = st.integers(min_value=0, max_value=(1 << 63) - 1)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
keys = st.builds(TaskKey, task_queue=texts, kind=st.sampled_from([1, 2]), name=texts)


@given(keys)
def test_a_streams_name_gives_its_key_back(key: TaskKey) -> None:
    assert NAMES.key(NAMES.stream(key).encode()) == key


def test_a_plain_name_is_plain() -> None:
    assert NAMES.stream(EMAILS) == "sched:orders:tasks:activity:default/send_email"


@pytest.mark.parametrize(
    "name",
    [
        b"",
        b"sched:orders:marker",
        b"sched:orders:tasks:query:a/b",
        b"sched:orders:tasks:activity:a",
        b"sched:other:tasks:activity:a/b",
        b"\xff\xfe",
    ],
)
def test_other_names_are_none_of_ours(name: bytes) -> None:
    assert NAMES.key(name) is None


@pytest.mark.parametrize("prefix", ["", "a b", "ä", "line\n", "x" * 201])
def test_a_prefix_that_is_none_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="1 to 200 ASCII characters"):
        Names(prefix)


@given(st.builds(QueuedTask, key=keys, run_key=numbers, seq=numbers, attempt=numbers))
def test_a_task_comes_back_as_it_was(task: QueuedTask) -> None:
    entry = [b"1-0", [b"t", encode_task(task)]]
    assert decode_entries(task.key, [entry]) == ([(b"1-0", task)], [])


def test_an_entry_is_small() -> None:
    assert len(encode_task(queued(100_000))) < 10


def test_entries_without_a_task_are_told_apart() -> None:
    good = [b"1-0", [b"t", encode_task(queued(7))]]
    deleted = [None, [b"2-0", None]]
    foreign = [[b"3-0", [b"t", b"{}"]], [b"4-0", [b"t"]]]
    tasks, others = decode_entries(EMAILS, [good, *deleted, *foreign])
    assert tasks == [(b"1-0", queued(7))]
    assert others == [b"2-0", b"3-0", b"4-0"]


def facts(version: str = "6.2.0", mode: str = "standalone", eviction: str = "") -> ServerFacts:
    return server_facts(
        f"# Server\r\nredis_version:{version}\r\nredis_mode:{mode}\r\nrun_id:abc\r\n"
        f"# Memory\r\nmaxmemory_policy:{eviction}\r\n".encode()
    )


@pytest.mark.parametrize("version", ["6.2.0", "6.10.1", "7.4", "8.0.0-rc1", "255.255.255"])
def test_a_new_server_is_used(version: str) -> None:
    assert facts(version).refusal() == ""


@pytest.mark.parametrize("version", ["6.0.16", "5.0.14", "", "nonsense"])
def test_an_old_server_is_refused(version: str) -> None:
    refusal = facts(version).refusal()
    assert version in refusal
    assert "6.2 or newer" in refusal


def test_a_redis_cluster_is_refused() -> None:
    assert "Redis Cluster" in facts(mode="cluster").refusal()


@pytest.mark.parametrize(
    ("policy", "warned"),
    [
        ("noeviction", False),
        ("allkeys-lru", True),
        ("allkeys-random", True),
        # Only keys that expire, and none of ours does.
        ("volatile-lru", False),
    ],
)
def test_who_evicts_waiting_tasks_is_warned(policy: str, warned: bool) -> None:
    assert bool(facts(eviction=policy).warnings()) == warned
