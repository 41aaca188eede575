"""What of a Markdown page can be checked: code blocks, inline code, tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_FENCE = re.compile(r"^(?P<indent> *)(?P<mark>`{3,})(?P<info>[^`]*)$")
_TITLE = re.compile(r'\btitle="([^"]+)"')
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_CELL_BORDER = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    path: Path
    line: int
    """Where its first line of text stands, counted from 1."""
    language: str
    title: str
    text: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """Every page that users read: the documentation, and the starters' own."""
    found = [*ROOT.glob("docs/**/*.md"), *ROOT.glob("templates/*/*.md"), ROOT / "README.md"]
    return sorted(found)


@cache
def blocks_of(path: Path) -> tuple[Block, ...]:
    """The fenced blocks of a page, in order."""
    blocks: list[Block] = []
    opened: re.Match[str] | None = None
    text: list[str] = []
    start = 0
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        fence = _FENCE.match(line)
        if opened is None:
            if fence is not None:
                opened, text, start = fence, [], number + 1
        elif fence is not None and not fence["info"] and len(fence["mark"]) >= len(opened["mark"]):
            blocks.append(_block(path, start, opened["info"].strip(), text))
            opened = None
        else:
            text.append(line[len(opened["indent"]) :])
    assert opened is None, f"{path}:{start - 1}: this block is never closed"
    return tuple(blocks)


def _block(path: Path, line: int, info: str, text: list[str]) -> Block:
    language = info.partition(" ")[0]
    title = _TITLE.search(info)
    return Block(path, line, language, title[1] if title else "", "\n".join(text) + "\n")


def titled(path: Path, title: str) -> Block:
    """The only block of a page with this title."""
    (block,) = (block for block in blocks_of(path) if block.title == title)
    return block


def prose_of(path: Path) -> list[tuple[int, str]]:
    """The lines outside fenced blocks, with their numbers."""
    inside = {
        number
        for block in blocks_of(path)
        for number in range(block.line - 1, block.line + block.text.count("\n") + 1)
    }
    lines = path.read_text(encoding="utf-8").splitlines()
    return [(number, line) for number, line in enumerate(lines, start=1) if number not in inside]


def inline_code_of(path: Path) -> list[tuple[int, str]]:
    """Every `code` in the prose, with its line's number."""
    return [(number, code) for number, line in prose_of(path) for code in _INLINE.findall(line)]


def table_below(path: Path, heading: str) -> list[list[str]]:
    """The rows of the first table below a heading, without its titles."""
    lines = path.read_text(encoding="utf-8").splitlines()
    level = next(
        i for i, line in enumerate(lines) if line.startswith("#") and line.lstrip("# ") == heading
    )
    start = next(i for i in range(level + 1, len(lines)) if lines[i].startswith("|"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        cells = _CELL_BORDER.split(line.strip().strip("|"))
        rows.append([cell.strip().replace("\\|", "|") for cell in cells])
    assert rows, f"the table below {heading!r} in {path} has no rows"
    return rows
