"""A new migration: the pair of files to write it in, for each dialect."""

from __future__ import annotations

import re
from pathlib import Path

from sched_server.store.migration import MigrationFilesError, load_migrations

__all__ = ["DIALECTS", "create_migration"]

DIALECTS = ("postgres", "sqlite")

_ROOT = Path(__file__).resolve().parents[2]
_LONGEST_NAME = 60


def create_migration(name: str) -> list[Path]:
    """Make the files of migration `name` in the source checkout that this file
    is part of, numbered behind the last one of each dialect. Returns their paths.

    Raises MigrationFilesError if there is no checkout, and ValueError for a name
    that is none, or is taken.
    """
    folder = _ROOT / "migrations"
    if not folder.is_dir() or not (_ROOT / "pyproject.toml").is_file():
        raise MigrationFilesError(
            "New migrations are written in a source checkout of sched; this is an installed "
            "package. Clone the repository, and run the command with the sched of the clone."
        )
    slug = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    if not slug or len(slug) > _LONGEST_NAME:
        raise ValueError(
            f"{name!r} cannot name a migration; use 1 to {_LONGEST_NAME} letters, digits and "
            "underscores, for example add_tags."
        )
    scripts = {
        path: script
        for dialect in DIALECTS
        for path, script in _pair(folder / dialect, slug).items()
    }
    for path, script in scripts.items():
        path.write_text(script, encoding="utf-8")
    return list(scripts)


def _pair(folder: Path, slug: str) -> dict[Path, str]:
    known = load_migrations(folder)
    if taken := next((migration for migration in known if migration.name == slug), None):
        raise ValueError(f"{folder.name} has {taken.label} already. Choose another name.")
    label = f"{len(known) + 1:04d}_{slug}"
    return {
        folder / f"{label}.up.sql": "-- What it changes, and why. Each statement ends its line.\n",
        folder / f"{label}.down.sql": f"-- Takes back {label}, and says what is lost with it.\n",
    }
