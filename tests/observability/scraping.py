"""Asking an endpoint as Prometheus does, and reading what it says."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client.core import Metric

PATIENCE_S = 10.0


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: str


async def send(url: str, request: bytes) -> bytes:
    """These bytes to the endpoint, and everything that it answers."""
    parts = urlsplit(url)
    async with asyncio.timeout(PATIENCE_S):
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            writer.write(request)
            return await reader.read()
        finally:
            writer.close()


async def get(url: str, path: str = "/metrics", **headers: str) -> Reply:
    lines = [f"GET {path} HTTP/1.1", "Host: test", *(f"{k}: {v}" for k, v in headers.items())]
    answer = await send(url, "\r\n".join([*lines, "", ""]).encode())
    if not answer:  # it ended behind the connect
        raise ConnectionResetError(f"{url} closed the connection without an answer")
    head, _, body = answer.decode().partition("\r\n\r\n")
    status, *rest = head.split("\r\n")
    named = dict(line.split(": ", 1) for line in rest)
    return Reply(int(status.split()[1]), {k.lower(): v for k, v in named.items()}, body)


async def get_until(url: str, path: str, condition: Callable[[Reply], bool]) -> Reply:
    """Ask until the answer is such."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition(reply := await get(url, path)):  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0.005)
    return reply


class Scrape:
    """What one look at `/metrics` said."""

    def __init__(self, text: str) -> None:
        self.families: dict[str, Metric] = {}
        self._values: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
        for family in text_string_to_metric_families(text):
            self.families[family.name] = family
            for sample in family.samples:
                self._values[sample.name, frozenset(sample.labels.items())] = sample.value

    def __call__(self, name: str, **labels: str) -> float:
        """The value of one series, which must be there."""
        return self._values[name, frozenset(labels.items())]

    def has(self, name: str, **labels: str) -> bool:
        return (name, frozenset(labels.items())) in self._values


async def scrape(url: str) -> Scrape:
    reply = await get(url)
    assert reply.status == 200, reply.body
    return Scrape(reply.body)


async def scrape_until(url: str, condition: Callable[[Scrape], bool]) -> Scrape:
    """Scrape until it holds: what a caller hears of may be counted a moment later."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition(found := await scrape(url)):  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0.01)
    return found
