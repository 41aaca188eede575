"""Which app is meant when none is named.

app.py in the current folder; or else
the only Python file or package of it, or of src/, that uses sched
"""

from __future__ import annotations

from pathlib import Path

from sched_cli.errors import UsageError
from sched_cli.targets import IGNORED_FOLDERS, python_files

_USUAL = "app.py"
_MARK = b"sched_sdk"
_SHOWN = 5


def obvious_app() -> str:
    """Raises UsageError when there is no choice, or more than one."""
    if Path(_USUAL).is_file():
        return _USUAL
    found = _candidates(Path()) or _candidates(Path("src"))
    if not found:
        raise UsageError(
            f"There is no app in {Path.cwd()}: no {_USUAL}, and no other Python file that uses "
            "sched_sdk. Name it: --app path/to/app.py"
        )
    if len(found) > 1:
        names = ", ".join(map(str, found[:_SHOWN]))
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise UsageError(f"Several could be the app: {names}{more}. Say which: --app {found[0]}")
    return str(found[0])


def _candidates(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    files = [path for path in sorted(folder.glob("*.py")) if not _is_test(path) and _uses(path)]
    packages = [
        path
        for path in sorted(folder.iterdir())
        if (path / "__init__.py").is_file()
        and path.name not in IGNORED_FOLDERS
        and not _is_test(path)
        and any(map(_uses, python_files(path)))
    ]
    return [*files, *packages]


def _is_test(path: Path) -> bool:
    return path.stem in ("test", "tests", "conftest") or path.name.startswith("test_")


def _uses(path: Path) -> bool:
    try:
        return _MARK in path.read_bytes()
    except OSError:
        return False
