"""Links between pages: the file is there, and so is the heading."""

from __future__ import annotations

import re
from pathlib import Path

from tests.docs.markdown import prose_of

_LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")


def broken_links(page: Path) -> list[str]:
    """Every link of a page that leads nowhere, with its line."""
    broken = []
    for number, line in prose_of(page):
        for file, anchor in _LINK.findall(line):
            target = (page.parent / file).resolve() if file else page
            if not target.exists() or (anchor and anchor not in _anchors(target)):
                broken.append(f"line {number}: {file}#{anchor}")
    return broken


def _anchors(page: Path) -> set[str]:
    """The headings' names as GitHub makes them."""
    return {
        re.sub(r"[^\w\- ]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for _, line in prose_of(page)
        if line.startswith("#")
    }
