"""A network namespace for each engine, so that it can be cut off from everything.

    the machine                      the namespace of engine 1
    198.18.N.5  ═══ a pair of ends ═══  198.18.N.6
    proxies, workers, clients           sched engine

A link that is down loses what is sent, and nobody is told: unlike a process that
dies, or a proxy that closes. Needs CAP_NET_ADMIN and CAP_SYS_ADMIN, and `ip`.
"""

from __future__ import annotations

import os
import shutil
import subprocess


class Namespaces:
    """Raises OSError or CalledProcessError where it cannot be had. 198.18.0.0/15 is
    set aside for tests of networks."""

    def __init__(self, count: int) -> None:
        self._names = [f"sched-chaos-{os.getpid()}-{i}" for i in range(count)]
        self._net = f"198.18.{os.getpid() % 250}"
        self._made: list[str] = []
        try:
            for number, name in enumerate(self._names):
                self._make(number, name)
        except BaseException:
            self.close()
            raise

    def _make(self, number: int, name: str) -> None:
        _ip("netns", "add", name)
        self._made.append(name)
        ours, theirs = f"sc{os.getpid()}o{number}", self._end(number)
        _ip("link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", name)
        _ip("addr", "add", f"{self.outside(number)}/30", "dev", ours)
        _ip("link", "set", ours, "up")
        _ip("-n", name, "addr", "add", f"{self.inside(number)}/30", "dev", theirs)
        _ip("-n", name, "link", "set", "lo", "up")
        self.heal(number)

    def _end(self, number: int) -> str:
        return f"sc{os.getpid()}i{number}"

    def outside(self, number: int) -> str:
        """The machine's address on the engine's wire."""
        return f"{self._net}.{4 * number + 1}"

    def inside(self, number: int) -> str:
        """The engine's address."""
        return f"{self._net}.{4 * number + 2}"

    def prefix(self, number: int) -> list[str]:
        """Before a command that is to run inside."""
        return [_program(), "netns", "exec", self._names[number]]

    def cut(self, number: int) -> None:
        _ip("-n", self._names[number], "link", "set", self._end(number), "down")

    def heal(self, number: int) -> None:
        _ip("-n", self._names[number], "link", "set", self._end(number), "up")

    def close(self) -> None:
        """The ends of its wire go with a namespace."""
        while self._made:
            subprocess.run([_program(), "netns", "delete", self._made.pop()], check=False)


def _program() -> str:
    found = shutil.which("ip", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        raise FileNotFoundError("there is no program ip")
    return found


def _ip(*arguments: str) -> None:
    subprocess.run([_program(), *arguments], check=True, capture_output=True, text=True)
