"""`sched config`: named profiles, so that nobody types addresses."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sched_cli import completion
from sched_cli.options import DEFAULT_ENGINE, OutputFormat, OutputOption
from sched_cli.parser import add, examples, noun

NameArgument = Annotated[
    str,
    typer.Argument(
        metavar="PROFILE",
        help="The profile's name.",
        autocompletion=completion.profile_names,
    ),
]


def build_commands() -> typer.Typer:
    """The commands of the noun."""
    app = noun("Name engines, and choose the one that commands talk to.")
    add(app, "list", list_profiles)
    add(app, "show", show)
    add(app, "set", set_profile)
    add(app, "use", use)
    add(app, "unset", unset)
    return app


@examples(
    "sched config list",
    "sched config list --output json",
)
def list_profiles(output: OutputOption = OutputFormat.TABLE) -> None:
    """List the profiles, and which one is in use."""
    from sched_cli import profiles
    from sched_cli.render import console

    found = profiles.read(profiles.path())
    rows = [
        {"name": name, "engine": engine, "in_use": name == found.in_use}
        for name, engine in found.engines.items()
    ]
    if output is not OutputFormat.TABLE:
        _print(rows, output)
        return
    if not rows:
        console.hint("There are no profiles. Make one: sched config set NAME --address HOST:PORT")
        return
    from sched_cli.render.tables import Column, Cut, FittedTable

    table = FittedTable(
        Column(title=""),
        Column(title="PROFILE", cut=Cut.MIDDLE),
        Column(title="ENGINE", cut=Cut.END, least=20),
    )
    for row in rows:
        table.add("*" if row["in_use"] else "", str(row["name"]), str(row["engine"]))
    console.data().print(table)


@examples(
    "sched config show",
    "sched config show --profile prod",
)
def show(output: OutputOption = OutputFormat.TABLE) -> None:
    """Show which engine commands talk to, and who says so."""
    import sys

    from sched_cli import profiles

    file = profiles.path()
    choice = profiles.choose(None)
    told = {
        "engine": choice.engine or DEFAULT_ENGINE,
        "profile": choice.profile,
        "source": choice.source,
        "file": str(file),
        "file_exists": file.exists(),
    }
    if output is not OutputFormat.TABLE:
        _print(told, output)
        return
    named = f" (profile {choice.profile})" if choice.profile else ""
    there = "" if told["file_exists"] else " (not there)"
    sys.stdout.write(
        f"engine  {told['engine']}{named}\nfrom    {choice.source}\nfile    {file}{there}\n"
    )


@examples(
    "sched config set prod --address engine-a.example:50051,engine-b.example:50051",
    "sched config set here --address localhost:50051",
)
def set_profile(
    name: NameArgument,
    address: Annotated[
        str,
        typer.Option(
            "--address",
            metavar="HOST:PORT[,…]",
            envvar="SCHED_PROFILE_ADDRESS",
            show_default=False,
            help="Where the engine is; several addresses for replicas.",
        ),
    ],
) -> None:
    """Make a profile, or change it."""
    from sched_cli import profiles
    from sched_cli.render import console
    from sched_sdk._client.addresses import parse_addresses

    engine = ",".join(parse_addresses(address))
    file = profiles.path()
    found = profiles.read(file)
    found.engines[profiles.check_name(name)] = engine
    profiles.write(file, found)
    console.say(f"Profile {name}: {engine}")
    if found.in_use != name:
        console.hint(f"To use it always: sched config use {name}; once: --profile {name}")


@examples(
    "sched config use prod",
    "sched config use here",
)
def use(name: NameArgument) -> None:
    """Let commands talk to this profile's engine from now on."""
    from sched_cli import profiles
    from sched_cli.render import console

    file = profiles.path()
    found = _with(name)
    found.in_use = name
    profiles.write(file, found)
    console.say(f"Commands talk to {found.engines[name]} now.")


@examples(
    "sched config unset prod",
)
def unset(name: NameArgument) -> None:
    """Forget a profile."""
    from sched_cli import profiles
    from sched_cli.render import console

    file = profiles.path()
    found = _with(name)
    del found.engines[name]
    if found.in_use == name:
        found.in_use = ""
    profiles.write(file, found)
    console.say(f"Profile {name} is gone.")


def _with(name: str) -> Any:
    """The profiles, of which this is one. Raises UsageError."""
    from sched_cli import profiles
    from sched_cli.errors import UsageError
    from sched_cli.suggesting import did_you_mean

    found = profiles.read(profiles.path())
    if name not in found.engines:
        like = did_you_mean(name, found.engines) or " See which there are: sched config list"
        raise UsageError(f"There is no profile {name!r}.{like}")
    return found


def _print(value: Any, output: OutputFormat) -> None:
    from sched_cli.render import plain

    if output is OutputFormat.JSON:
        plain.print_json(value)
    elif isinstance(value, list):
        for row in value:
            plain.print_json_line(row)
    else:
        plain.print_json_line(value)
