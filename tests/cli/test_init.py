from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

from tests.cli.support import lines, sched

if TYPE_CHECKING:
    from pathlib import Path


def test_init_makes_a_project_and_says_how_to_go_on(tmp_path: Path) -> None:
    done = sched("init", "my-app", cwd=tmp_path)

    assert done.returncode == 0
    assert done.stdout == ""
    project = tmp_path / "my-app"
    assert {path.name for path in project.iterdir()} == {
        *("app.py", "README.md", "pyproject.toml", ".gitignore")
    }
    commands = [line.strip() for line in lines(done.stderr) if line.startswith("  ")]
    assert commands[0] == "cd my-app"
    assert commands[1] == "sched dev app.py"
    assert commands[2].startswith("sched workflow start HelloWorld --input world")


def test_the_project_has_the_folders_name(tmp_path: Path) -> None:
    sched("init", "My app!", cwd=tmp_path)

    project = tomllib.loads((tmp_path / "My app!" / "pyproject.toml").read_text())
    assert project["project"]["name"] == "My-app"
    assert (tmp_path / "My app!" / "README.md").read_text().startswith("# My-app\n")


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    assert sched("init", ".", cwd=tmp_path).returncode == 0
    assert (tmp_path / "app.py").exists()


def test_a_folder_with_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")

    done = sched("init", ".", cwd=tmp_path)

    assert done.returncode == 2
    assert "is not empty (it holds notes.txt)" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "my-app").write_text("mine")

    done = sched("init", "my-app", cwd=tmp_path)

    assert done.returncode == 2
    assert "my-app is a file" in done.stderr


def test_an_unknown_template_names_those_there_are(tmp_path: Path) -> None:
    done = sched("init", "my-app", "--template", "helo", cwd=tmp_path)

    assert done.returncode == 2
    assert "no template 'helo'" in done.stderr
    assert "hello" in done.stderr
    assert not (tmp_path / "my-app").exists()
