"""Every block of code that users may copy is at least valid."""

from __future__ import annotations

import json

import pytest

from tests.docs.markdown import ROOT, Block, blocks_of, pages
from tests.docs.running import compiled

BLOCKS = [block for page in pages() for block in blocks_of(page)]


def _in(language: str) -> list[Block]:
    return [block for block in BLOCKS if block.language == language]


@pytest.mark.parametrize("block", _in("python"), ids=str)
def test_python_compiles(block: Block) -> None:
    compiled(block)


@pytest.mark.parametrize("block", _in("json"), ids=str)
def test_json_is_json(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("path", sorted(ROOT.glob("templates/*/*.py")), ids=lambda p: p.parent.name)
def test_starters_compile(path: object) -> None:
    from pathlib import Path

    assert isinstance(path, Path)
    compile(path.read_text(encoding="utf-8"), str(path), "exec", dont_inherit=True)


def test_blocks_name_their_language() -> None:
    assert [str(block) for block in BLOCKS if not block.language] == []
