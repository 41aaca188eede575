"""What happened when: the live line of those who watch, and the story of a failure."""

from __future__ import annotations

import re
import sys
import time
from collections import Counter

_EVERY_S = 5.0


class Timeline:
    def __init__(self) -> None:
        self._began = time.monotonic()
        self._shown = 0.0
        self.lines: list[str] = []
        self.faults: Counter[str] = Counter()
        self.under_way: dict[str, float] = {}
        """Faults that are not healed yet, since when."""
        self.violations: list[tuple[str, str]] = []

    def time(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    def begin(self) -> None:
        """Everything is there: time counts from here."""
        self._began = time.monotonic()

    def add(self, who: str, what: str) -> None:
        self.lines.append(f"{self.time():8.2f}  {who:12} {what}")

    def wrong(self, checker: str, message: str) -> None:
        """Something that must never be."""
        self.violations.append((checker, message))
        self.add("VIOLATION", f"{checker}: {message}")

    def show(self, text: str) -> None:
        """Where it is. On a terminal one line, written over; else a line now and then."""
        now = ", ".join(self.under_way) or "nothing"
        line = f"{self.time():4.0f} s  {text}; broken: {now}"
        if sys.stderr.isatty():
            print(f"\r\x1b[K{line[:150]}", end="", file=sys.stderr, flush=True)
        elif self.time() - self._shown >= _EVERY_S:
            self._shown = self.time()
            print(line, file=sys.stderr, flush=True)

    def end_live_line(self) -> None:
        if sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def about(self, message: str, most: int = 80) -> list[str]:
        """What is known of the workflow that a message names, and the faults around."""
        named = re.search(r"\bw\d+\b", message)
        mark = re.compile(rf"\b{named.group()}\b" if named else r"$^")
        kept = [line for line in self.lines if mark.search(line) or " FAULT " in line]
        return kept[-most:]
