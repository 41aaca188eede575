"""`sched init`: a starter that runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sched_cli.parser import examples

_NAME_PLACEHOLDER = "{{name}}"
_RENDERED_FILES = ("README.md", "pyproject.toml")


@examples(
    "sched init my-app",
    "sched init my-app --template hello",
)
def init(
    name: Annotated[
        Path, typer.Argument(metavar="NAME", help="The folder to make; its name names the project.")
    ],
    template: Annotated[
        str,
        typer.Option("--template", metavar="NAME", envvar="SCHED_TEMPLATE", help="Which starter."),
    ] = "hello",
) -> None:
    """Make a new project from a starter."""
    from sched_cli.errors import UsageError
    from sched_cli.render import console

    source = _find_template(template)
    _check_target(name)
    try:
        files = _copy(source, name)
    except OSError as error:
        raise UsageError(
            f"{name} cannot be made: {error.strerror}. Choose another folder."
        ) from error
    console.say(f"Made {name} with {', '.join(files)}.\n")
    console.say("Next:")
    for command in _next_commands(name):
        console.say(f"  {command}")


def _templates_folder() -> Path:
    """In an installation the templates are inside the package, in a source
    checkout beside it."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "templates"
    return installed if installed.is_dir() else package.parent / "templates"


def _find_template(name: str) -> Path:
    from sched_cli.errors import UsageError

    folder = _templates_folder()
    known = sorted(path.name for path in folder.iterdir() if (path / "app.py").is_file())
    if name not in known:
        raise UsageError(f"There is no template {name!r}. The templates are: {', '.join(known)}.")
    return folder / name


def _check_target(target: Path) -> None:
    from sched_cli.errors import UsageError

    if target.is_dir():
        first = next((path.name for path in sorted(target.iterdir())), None)
        if first is not None:
            raise UsageError(
                f"{target} is not empty (it holds {first}). Choose another name, or empty it."
            )
    elif target.exists():
        raise UsageError(f"{target} is a file. Choose another name.")


def _copy(source: Path, target: Path) -> list[str]:
    """Copy the template; returns the names of the files at its top."""
    files = [
        path
        for path in sorted(source.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    ]
    for path in files:
        inside = path.relative_to(source)
        destination = target / inside
        destination.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text(encoding="utf-8")
        if inside.name in _RENDERED_FILES:
            text = text.replace(_NAME_PLACEHOLDER, _project_name(target))
        destination.write_text(text, encoding="utf-8")
    return [path.relative_to(source).as_posix() for path in files]


def _project_name(target: Path) -> str:
    """A name that Python packaging takes: letters, digits and single dashes."""
    import re

    return re.sub(r"[^A-Za-z0-9]+", "-", target.resolve().name).strip("-") or "app"


def _next_commands(target: Path) -> list[str]:
    import shlex

    return [
        f"cd {shlex.quote(str(target))}",
        "sched dev app.py",
        "sched workflow start HelloWorld --input world --wait     # in a second terminal",
    ]
