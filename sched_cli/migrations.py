"""Looking after the schema of a store from the command line."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sched_cli.errors import CliError, UsageError
from sched_cli.options import OutputFormat
from sched_cli.render import console

if TYPE_CHECKING:
    from collections.abc import Sequence

    import typer

    from sched_server.store.migration import MigrationStep, Migrator


def migrator_of(context: typer.Context, postgres_dsn: str | None, db: str | None) -> Migrator:
    """For the store that the options name; the command line wins over variables.

    Raises UsageError when they name none, or two.
    """
    if postgres_dsn and db:
        given = {name for name in ("postgres_dsn", "db") if _is_typed(context, name)}
        if len(given) != 1:
            raise UsageError(
                "Both a Postgres (--postgres-dsn, SCHED_POSTGRES_DSN) and a SQLite file (--db, "
                "SCHED_DB) are named. Name one of them on the command line."
            )
        postgres_dsn, db = (postgres_dsn, None) if "postgres_dsn" in given else (None, db)
    if postgres_dsn:
        from sched_server.store.postgres import PostgresMigrator

        return PostgresMigrator(postgres_dsn)
    if db:
        from sched_server.store.sqlite import SqliteMigrator

        return SqliteMigrator(Path(db))
    raise UsageError(
        "Say which store: --postgres-dsn DSN (or SCHED_POSTGRES_DSN), or --db PATH for SQLite."
    )


def _is_typed(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


async def up(migrator: Migrator, target: int | None, *, dry_run: bool) -> None:
    """Apply what is missing up to version `target` (None: the newest)."""
    steps = await _plan(migrator, target)
    if any(not step.up for step in steps):
        raise UsageError(
            f"{migrator.description} is beyond version {target} already. To go back: "
            f"sched migrate down --to {target}"
        )
    if dry_run:
        _print_scripts(steps)
    else:
        steps = await migrator.migrate(target)
        for step in steps:
            console.say(f"applied {step.migration.label}")
    if steps:
        tense = "would be" if dry_run else "is now"
        console.say(f"{migrator.description} {tense} at version {steps[-1].migration.version}.")
    else:
        console.say(f"{migrator.description} is up to date.")


async def down(migrator: Migrator, target: int, *, dry_run: bool, yes: bool) -> None:
    """Take back what is beyond version `target`, after asking."""
    steps = await _plan(migrator, target)
    if any(step.up for step in steps):
        raise UsageError(
            f"{migrator.description} has not reached version {target}. To go there: "
            f"sched migrate up --to {target}"
        )
    if not steps:
        console.say(f"{migrator.description} is at version {target} already.")
        return
    if dry_run:
        _print_scripts(steps)
        return
    await migrator.check_unused()
    await _say_what_is_lost(migrator, steps)
    if not yes:
        _ask()
    for step in await migrator.migrate(target):
        console.say(f"took back {step.migration.label}")
    console.say(f"{migrator.description} is now at version {target}.")


async def _plan(migrator: Migrator, target: int | None) -> list[MigrationStep]:
    try:
        return await migrator.plan(target)
    except ValueError as error:
        raise UsageError(str(error)) from error


async def _say_what_is_lost(migrator: Migrator, steps: Sequence[MigrationStep]) -> None:
    labels = ", ".join(step.migration.label for step in steps)
    console.say(f"This takes back {labels} from {migrator.description}.")
    tables = [table for step in steps for table in step.dropped_tables]
    columns = [column for step in steps for column in step.dropped_columns]
    if not tables and not columns:
        return
    console.say("Lost for good:")
    rows = await migrator.count_rows(tables)
    for table in tables:
        console.say(f"  table {table}, {rows[table]} {'row' if rows[table] == 1 else 'rows'}")
    for column in columns:
        console.say(f"  column {column}")


def _ask() -> None:
    import typer

    try:
        agreed = typer.confirm("Go on?", err=True)
    except typer.Abort:
        sys.stderr.write("\n")
        raise CliError("Nothing was changed: there was no answer. --yes does not ask.") from None
    if not agreed:
        raise CliError("Nothing was changed.")


def _print_scripts(steps: Sequence[MigrationStep]) -> None:
    """SQL on stdout, with comments that say which file it is."""
    for step in steps:
        sys.stdout.write(
            f"-- {step.file_name}: one transaction, together with the record of it\n"
            f"{step.script.rstrip()}\n\n"
        )


async def show_status(migrator: Migrator, output: OutputFormat) -> None:
    """Print how every migration stands. Raises CliError, after that, when files
    and store do not fit together."""
    from sched_cli.render import migrations as render
    from sched_cli.render import plain

    status = await migrator.status()
    if output is OutputFormat.TABLE:
        console.data().print(render.status_table(status))
        if not status.problem:
            console.hint(render.summary(status))
    elif output is OutputFormat.JSON:
        plain.print_json(render.status_object(status))
    else:
        plain.print_json_line(render.status_object(status))
    if status.problem:
        raise CliError(status.problem)


def make_new(name: str) -> None:
    """Make the files of migration `name`; their paths go to stdout."""
    from sched_server.store.new_migration import create_migration

    try:
        paths = create_migration(name)
    except ValueError as error:
        raise UsageError(str(error)) from error
    for path in paths:
        sys.stdout.write(f"{os.path.relpath(path)}\n")
    console.hint("Write them, for both stores; then: sched migrate up --dry-run")
