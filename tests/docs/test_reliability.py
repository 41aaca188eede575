"""docs/reliability.md names tests: each of them exists."""

from __future__ import annotations

import re

from tests.docs.markdown import ROOT

PAGE = ROOT / "docs" / "reliability.md"
_NAMED = re.compile(r"`(tests/[\w/.]+)(?:::(\w+))?`")


def test_every_test_that_is_named_exists() -> None:
    named = _NAMED.findall(PAGE.read_text(encoding="utf-8"))
    assert len(named) > 30
    for path, function in named:
        assert (ROOT / path).exists(), path
        if function:
            source = (ROOT / path).read_text(encoding="utf-8")
            assert re.search(rf"def {function}\(", source), f"{path}::{function}"


def test_every_story_has_a_test() -> None:
    _, _, stories = PAGE.read_text(encoding="utf-8").partition("\n## Failure stories")
    rows = [line.split("|") for line in stories.splitlines() if line.startswith("|")]
    told = [cells for cells in rows if cells[1].strip(" -") and cells[1].strip() != "the story"]
    assert len(told) > 15
    for _, story, source, tests, _ in told:
        assert source.strip(), story
        assert "::test_" in tests, story
