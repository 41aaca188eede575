"""Finding and loading the code that a worker serves. Each app is loaded in a
process of its own, as `sched worker` does it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.support import clean_environment

if TYPE_CHECKING:
    from pathlib import Path

_LOAD = """
import json, sys
from sched_cli.apps import load_app
from sched_cli.errors import CliError
try:
    app = load_app(sys.argv[1:])
except CliError as error:
    print(json.dumps({"error": str(error), "exit_code": error.exit_code}))
else:
    print(json.dumps({
        "workflows": app.workflow_names, "activities": app.activity_names, "build": app.build_id,
    }))
"""
_HEAD = "from sched_sdk import WorkflowContext, activity, workflow\n"
_GREETER = (
    _HEAD
    + """
@activity
async def greet(name: str) -> str:
    return name

@workflow(name="Greeter")
async def greeter(ctx: WorkflowContext, name: str) -> str:
    return name
"""
)


def load(folder: Path, *targets: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", _LOAD, *targets],
        cwd=folder,
        env={**clean_environment(), "PYTHONDONTWRITEBYTECODE": ""},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    loaded: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return loaded


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / (name.replace("__in__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))


def test_a_file(tmp_path: Path) -> None:
    write(tmp_path, app=_GREETER)
    app = load(tmp_path, "app.py")
    assert app["workflows"] == ["Greeter"]
    assert app["activities"] == ["greet"]


def test_a_file_finds_its_neighbours_and_what_it_imports_is_served(tmp_path: Path) -> None:
    write(
        tmp_path,
        shop__in__mail=_HEAD + "@activity\ndef send(to: str) -> None: ...\n",
        shop__in__app=_GREETER + "from mail import send\n",
    )
    assert load(tmp_path, "shop/app.py")["activities"] == ["greet", "send"]


def test_a_file_in_a_package_may_import_relatively(tmp_path: Path) -> None:
    write(
        tmp_path,
        shop__in____init__="",
        shop__in__mail=_HEAD + "@activity\ndef send(to: str) -> None: ...\n",
        shop__in__app="from .mail import send\n",
    )
    assert load(tmp_path, "shop/app.py")["activities"] == ["send"]


def test_a_folder_is_all_its_files_but_its_tests(tmp_path: Path) -> None:
    write(
        tmp_path,
        shop__in__one=_GREETER,
        shop__in__two=_HEAD + "@activity\ndef send(to: str) -> None: ...\n",
        shop__in__test_one="raise RuntimeError('tests are not imported')\n",
        shop__in__tests__in__test_two="raise RuntimeError('tests are not imported')\n",
        shop__in__venv__in__lib="raise RuntimeError('environments are not imported')\n",
    )
    app = load(tmp_path, "shop")
    assert app["workflows"] == ["Greeter"]
    assert app["activities"] == ["greet", "send"]


def test_a_folder_that_is_a_package_is_all_its_modules(tmp_path: Path) -> None:
    write(
        tmp_path,
        shop__in____init__="",
        shop__in__flows__in____init__="",
        shop__in__flows__in__greeting="from ..mail import send\n" + _GREETER,
        shop__in__mail=_HEAD + "@activity\ndef send(to: str) -> None: ...\n",
    )
    app = load(tmp_path, "shop/")
    assert app["workflows"] == ["Greeter"]
    assert set(app["activities"]) == {"send", "greet"}


def test_a_module_is_looked_up_from_the_current_folder(tmp_path: Path) -> None:
    write(tmp_path, shop__in____init__="", shop__in__app=_GREETER)
    assert load(tmp_path, "shop.app")["workflows"] == ["Greeter"]


def test_several_targets_make_one_app(tmp_path: Path) -> None:
    write(tmp_path, app=_GREETER, more=_HEAD + "@activity\ndef send(to: str) -> None: ...\n")
    assert load(tmp_path, "app.py", "more.py")["activities"] == ["greet", "send"]
    assert load(tmp_path, "app.py", "app.py")["activities"] == ["greet"]


def test_a_name_imported_in_two_files_is_one(tmp_path: Path) -> None:
    write(tmp_path, app=_GREETER, more="from app import greet\n")
    assert load(tmp_path, "app.py", "more.py")["activities"] == ["greet"]


def test_two_functions_of_one_name_are_shown_with_both_places(tmp_path: Path) -> None:
    write(tmp_path, app=_GREETER, more=_GREETER)
    loaded = load(tmp_path, "app.py", "more.py")
    assert loaded["exit_code"] == 2
    assert "named 'greet': at app.py:3 and at more.py:3" in loaded["error"]


def test_a_missing_file_gets_a_suggestion(tmp_path: Path) -> None:
    write(tmp_path, app=_GREETER)
    assert "apps.py does not exist. Did you mean app.py?" in load(tmp_path, "apps.py")["error"]
    assert "The Python files in" in load(tmp_path, "zzzzzzz.py")["error"]
    assert "Did you mean app.py?" in load(tmp_path, "ap")["error"]


def test_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    said = load(tmp_path, "empty")["error"]
    assert f"no Python file in {tmp_path / 'empty'}." in said
    assert "sched init" in load(tmp_path / "empty", "app.py")["error"]


def test_a_module_that_is_missing(tmp_path: Path) -> None:
    write(tmp_path, shop__in____init__="")
    assert "no file, folder or module 'shoop.app'" in load(tmp_path, "shoop.app")["error"]
    assert "no module 'shop.app'" in load(tmp_path, "shop.app")["error"]


def test_code_without_workflows(tmp_path: Path) -> None:
    write(tmp_path, app="def greet(): ...\n")
    error = load(tmp_path, "app.py")["error"]
    assert error.startswith("There is no workflow and no activity in app.py.")
    assert "@workflow" in error


def test_a_file_named_like_a_module_of_python(tmp_path: Path) -> None:
    write(tmp_path, queue=_GREETER)
    assert "Rename the file" in load(tmp_path, "queue.py")["error"]


def test_what_is_no_python_file(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    assert "not a Python file" in load(tmp_path, "notes.txt")["error"]


def test_a_syntax_error_shows_the_line(tmp_path: Path) -> None:
    write(tmp_path, app=_HEAD + "async def broken(ctx)\n    return 1\n")
    assert load(tmp_path, "app.py")["error"].splitlines() == [
        "app.py:2: SyntaxError: expected ':'",
        "    async def broken(ctx)",
        "                         ^",
    ]


def test_an_import_error_shows_the_line_and_nothing_of_ours(tmp_path: Path) -> None:
    write(tmp_path, app="import helper\n", helper="import math\nimport requestz\n")
    assert load(tmp_path, "app.py")["error"].splitlines() == [
        "helper.py:2: ModuleNotFoundError: No module named 'requestz'",
        "    import requestz",
        "  imported or called from app.py:1",
    ]


def test_a_wrong_definition_shows_where(tmp_path: Path) -> None:
    write(tmp_path, app=_HEAD + "\n\n@workflow\ndef not_async(ctx: WorkflowContext): ...\n")
    where, what, *rest = load(tmp_path, "app.py")["error"].splitlines()
    assert where.startswith("app.py:4: DefinitionError: ")
    assert "must be declared with `async def`" in where
    assert what.strip() == "@workflow"
    assert not rest


@pytest.mark.parametrize("statement", ["raise SystemExit(3)", "1 / 0", "raise BaseException('x')"])
def test_whatever_the_code_raises_is_its_error(tmp_path: Path, statement: str) -> None:
    write(tmp_path, app=f"x = 1\n{statement}\n")
    loaded = load(tmp_path, "app.py")
    assert loaded["error"].startswith("app.py:2: ")
    assert loaded["exit_code"] == 2


def test_the_build_id_is_that_of_the_imported_source(tmp_path: Path) -> None:
    write(tmp_path, app=_GREETER + "import helper\n", helper="x = 1\n", unrelated="y = 1\n")
    first = load(tmp_path, "app.py")["build"]
    assert len(first) == 12
    write(tmp_path, unrelated="y = 2\n")
    assert load(tmp_path, "app.py")["build"] == first
    write(tmp_path, helper="x = 2\n")
    assert load(tmp_path, "app.py")["build"] != first


def test_two_edits_in_one_second_are_two(tmp_path: Path) -> None:
    """As long as each other, too: nothing but the source tells which is compiled."""

    def save(word: str) -> None:
        write(
            tmp_path,
            app=_HEAD + f"import inner.names\n@activity\ndef {word}(): ...\n"
            "globals()[inner.names.other] = activity(name=inner.names.other)(lambda: None)\n",
            inner__in__names=f"other = 'inner_{word}'\n",
        )
        for name in ("app.py", "inner/names.py"):
            os.utime(tmp_path / name, (1_790_000_000, 1_790_000_000))

    for target in ("app.py", "."):
        for word in ("bake", "cook"):
            save(word)
            assert load(tmp_path, target)["activities"] == [word, f"inner_{word}"]
    assert not list(tmp_path.rglob("*.pyc"))


def test_the_finder_of_another_import_of_sched_is_not_asked(tmp_path: Path) -> None:
    """Each would ask the other for ever."""
    write(tmp_path, app=_HEAD + "import inner\n", inner="")
    twice = (
        "import sys; from pathlib import Path\n"
        "for _ in range(2):\n"
        "    from sched_cli.app_imports import compile_from_source\n"
        "    compile_from_source([Path('.').resolve()])\n"
        "    del sys.modules['sched_cli.app_imports']\n"
        "import app, no_such_module\n"
    )

    ran = subprocess.run(
        [sys.executable, "-c", twice],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert "No module named 'no_such_module'" in ran.stderr.splitlines()[-1]
