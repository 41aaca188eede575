"""Leadership of a store that one process has to itself."""

from __future__ import annotations

from sched_server.leadership.file import FileLeadership


async def test_it_wins_at_once_and_holds_until_it_resigns() -> None:
    leadership = FileLeadership("127.0.0.1:50051")
    lost: list[str] = []
    leadership.on_lost(lost.append)
    assert not leadership.holds()
    assert await leadership.leader() is None

    await leadership.campaign()
    await leadership.confirm(3)
    assert leadership.holds()
    leader = await leadership.leader()
    assert leader is not None
    assert (leader.address, leader.epoch, leader.alive) == ("127.0.0.1:50051", 3, True)
    assert await leadership.candidates() == []

    await leadership.resign()
    assert not leadership.holds()
    leader = await leadership.leader()
    assert leader is not None
    assert not leader.alive
    assert lost == []
