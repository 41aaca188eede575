"""Nothing is found in code that is right: the starters, every example of the
documentation, the applications that other tests run. And each rule speaks of what is
really wrong."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

from sched_cli.check import Finding, check
from sched_cli.check.rules import RULES
from sched_cli.check.sources import find_sources
from sched_sdk._payloads import encode
from sched_sdk.errors import PayloadError
from tests.cli import conftest
from tests.cli.check import (
    test_activities_and_payloads,
    test_asyncio,
    test_following,
    test_state_and_order,
    test_world,
)
from tests.docs.markdown import ROOT, blocks_of, pages

_PAGES = [page for page in pages() if any(b.language == "python" for b in blocks_of(page))]
_APPS = sorted(
    path
    for folder in ("templates", "tests", "benchmarks", "sched_cli/demo")
    for path in (ROOT / folder).rglob("*.py")
    if not path.name.startswith("test_")
    and "cases" not in path.parts
    and "@workflow" in path.read_text()
)


def problems_in(*paths: Path) -> list[str]:
    found = check(find_sources(map(str, paths)), RULES).findings
    return [f"{f.path}:{f.line} {f.rule.id} {f.message}" for f in found if not _is_meant(f)]


def _is_meant(finding: Finding) -> bool:
    """The documentation shows mistakes too, in workflows whose names say so."""
    return finding.declaration.startswith("wrong")


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_examples_of_a_page(page: Path, tmp_path: Path) -> None:
    blocks = [block for block in blocks_of(page) if block.language == "python"]
    # Blocks without a title are one module; the others stand for themselves.
    module = "\n".join(block.text for block in blocks if not block.title)
    (tmp_path / "page.py").write_text(module)
    for number, block in enumerate(block for block in blocks if block.title):
        (tmp_path / f"block{number}.py").write_text(block.text)
    assert problems_in(*sorted(tmp_path.iterdir())) == []


@pytest.mark.parametrize("app", _APPS, ids=lambda app: app.relative_to(ROOT).as_posix())
def test_an_application(app: Path) -> None:
    assert problems_in(app) == []


def test_the_applications_are_looked_at() -> None:
    names = {app.relative_to(ROOT).as_posix() for app in _APPS}
    some = {"templates/hello/app.py", "tests/crash/app.py"}
    assert some <= names
    assert check(find_sources(str(ROOT / name) for name in sorted(some)), RULES).workflows > 5


def test_the_application_of_the_command_line_tests(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(conftest._EXTRA)
    assert problems_in(tmp_path / "app.py") == []


def test_every_rule_is_shown_to_find_something() -> None:
    groups = (
        test_world,
        test_asyncio,
        test_state_and_order,
        test_activities_and_payloads,
        test_following,
    )
    sources = "".join(inspect.getsource(group) for group in groups)
    assert not [
        rule for rule in RULES if f"#! {rule}" not in sources and f'"{rule}")' not in sources
    ]


def test_no_id_and_no_name_is_used_twice() -> None:
    assert len({rule.name for rule in RULES.values()}) == len(RULES)
    assert list(RULES) == sorted(RULES)


class Plain:
    pass


@pytest.mark.parametrize(
    "value",
    [
        lambda: 1,
        (x for x in ()),
        map(str, ()),
        range(3),
        Plain(),
        Plain,
        {(1, 2): 3},
        float("nan"),
        1j,
        ...,
        pytest,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_be_stored_is_refused_by_the_sdk_too(value: Any) -> None:
    with pytest.raises(PayloadError):
        encode(value)
