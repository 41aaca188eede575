"""`sched migrate up | down | status | new`: the schema of a store."""

from __future__ import annotations

from typing import Annotated

import typer

from sched_cli.options import OutputFormat, OutputOption, PostgresOption
from sched_cli.parser import add, examples, noun

StoreFileOption = Annotated[
    str | None,
    typer.Option(
        "--db",
        metavar="PATH",
        envvar="SCHED_DB",
        show_default=False,
        help="The store is this SQLite file.",
    ),
]
DryRunOption = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        envvar="SCHED_DRY_RUN",
        help="Print the SQL that would run, and change nothing.",
    ),
]


def build_commands() -> typer.Typer:
    """The commands of the noun."""
    app = noun("Bring the schema of a store up to date, or back.")
    add(app, "up", up)
    add(app, "down", down)
    add(app, "status", status)
    add(app, "new", new)
    return app


@examples(
    "sched migrate up --db state.db",
    "sched migrate up --postgres-dsn postgresql://sched:secret@db.example/sched",
    "sched migrate up --db state.db --dry-run",
)
def up(
    context: typer.Context,
    to: Annotated[
        int | None,
        typer.Option(
            "--to",
            metavar="VERSION",
            min=0,
            envvar="SCHED_MIGRATE_TO",
            show_default=False,
            help="Stop at this version; the newest by default.",
        ),
    ] = None,
    dry_run: DryRunOption = False,
    postgres_dsn: PostgresOption = None,
    db: StoreFileOption = None,
) -> None:
    """Apply what is missing."""
    from sched_cli import loops, migrations

    migrator = migrations.migrator_of(context, postgres_dsn, db)
    loops.run_once(migrations.up(migrator, to, dry_run=dry_run))


@examples(
    "sched migrate down --to 1 --db state.db --dry-run",
    "sched migrate down --to 0 --db state.db --yes",
)
def down(
    context: typer.Context,
    to: Annotated[
        int,
        typer.Option(
            "--to",
            metavar="VERSION",
            min=0,
            envvar="SCHED_MIGRATE_TO",
            show_default=False,
            help="The version to go back to; 0 takes everything away.",
        ),
    ],
    dry_run: DryRunOption = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", envvar="SCHED_YES", help="Do not ask first.")
    ] = False,
    postgres_dsn: PostgresOption = None,
    db: StoreFileOption = None,
) -> None:
    """Take migrations back; what they added is lost. No engine may use the store."""
    from sched_cli import loops, migrations

    migrator = migrations.migrator_of(context, postgres_dsn, db)
    loops.run_once(migrations.down(migrator, to, dry_run=dry_run, yes=yes))


@examples(
    "sched migrate status --db state.db",
    "sched migrate status --db state.db --output json",
)
def status(
    context: typer.Context,
    postgres_dsn: PostgresOption = None,
    db: StoreFileOption = None,
    output: OutputOption = OutputFormat.TABLE,
) -> None:
    """Show which migrations are applied, and which are missing.

    Exit code 1 if a file is not the one that was applied, or is not there.
    """
    from sched_cli import loops, migrations

    migrator = migrations.migrator_of(context, postgres_dsn, db)
    loops.run_once(migrations.show_status(migrator, output))


@examples(
    "sched migrate new add_tags",
)
def new(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="What it does, in a word or two: add_tags.")
    ],
) -> None:
    """Make the files of a new migration, in a source checkout of sched."""
    from sched_cli import migrations

    migrations.make_new(name)
