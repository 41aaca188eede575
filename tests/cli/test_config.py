"""Profiles: which engine is meant, and what counts more than what."""

from __future__ import annotations

import json
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.cli.support import sched_in_process

PROD, STAGE = "prod.example:50051", "stage.example:50051"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sched" / "config.toml"


def sched(file: Path, *arguments: str, **variables: str) -> CompletedProcess[str]:
    return sched_in_process(*arguments, environment={"SCHED_CONFIG": str(file), **variables})


def engine_of(file: Path, **variables: str) -> tuple[str, str]:
    told = json.loads(sched(file, "config", "show", "-o", "json", **variables).stdout)
    return told["engine"], told["source"]


def test_the_profile_that_is_typed_is_shown(file: Path) -> None:
    sched(file, "config", "set", "prod", "--address", PROD)
    sched(file, "config", "set", "stage", "--address", STAGE)
    sched(file, "config", "use", "prod")
    shown = sched(file, "config", "show", "--profile", "stage", SCHED_ENGINE_ADDRESS="a:1")
    assert shown.stdout.startswith(f"engine  {STAGE} (profile stage)\nfrom    --profile\n")
    unknown = sched(file, "config", "show", "--profile", "stag")
    assert (unknown.returncode, "Did you mean 'stage'?" in unknown.stderr) == (2, True)


def test_profiles_are_made_used_listed_and_forgotten(file: Path) -> None:
    assert engine_of(file) == ("localhost:50051", "the default")
    assert sched(file, "config", "set", "prod", "--address", "prod.example").returncode == 0
    sched(file, "config", "set", "stage", "--address", f"{STAGE},other.example:1")
    assert engine_of(file) == ("localhost:50051", "the default")
    assert sched(file, "config", "use", "prod").returncode == 0
    assert engine_of(file) == (PROD, "the profile in use")
    rows = json.loads(sched(file, "config", "list", "-o", "json").stdout)
    assert rows == [
        {"name": "prod", "engine": PROD, "in_use": True},
        {"name": "stage", "engine": f"{STAGE},other.example:1", "in_use": False},
    ]
    assert "*  prod     prod.example:50051" in sched(file, "config", "list").stdout
    sched(file, "config", "unset", "prod")
    assert engine_of(file) == ("localhost:50051", "the default")
    assert "stage" in file.read_text()


def test_the_file_is_found_below_the_configuration_folder(tmp_path: Path) -> None:
    environment = {"SCHED_CONFIG": "", "XDG_CONFIG_HOME": str(tmp_path)}
    sched_in_process("config", "set", "a", "--address", "a:1", environment=environment)
    assert (tmp_path / "sched" / "config.toml").exists()


@pytest.fixture
def both(file: Path) -> Path:
    file.parent.mkdir()
    # The ports are closed: what a command says it did not reach is what it was told.
    file.write_text(
        'profile = "used"\n[profiles.used]\nengine = "127.0.0.1:1"\n'
        '[profiles.asked]\nengine = "127.0.0.1:2"\n[profiles.named]\nengine = "127.0.0.1:3"\n'
    )
    return file


@pytest.mark.parametrize(
    ("arguments", "variables", "engine"),
    [
        ((), {}, "127.0.0.1:1"),
        ((), {"SCHED_PROFILE": "named"}, "127.0.0.1:3"),
        ((), {"ENGINE_ADDRESS": "127.0.0.1:4", "SCHED_PROFILE": "named"}, "127.0.0.1:4"),
        (("--profile", "asked"), {"SCHED_ENGINE_ADDRESS": "127.0.0.1:4"}, "127.0.0.1:2"),
        (("--profile=asked", "--engine", "127.0.0.1:5"), {}, "127.0.0.1:5"),
        (("--engine", "127.0.0.1:5"), {"SCHED_PROFILE": "named"}, "127.0.0.1:5"),
    ],
)
def test_an_option_counts_more_than_a_variable_and_that_more_than_a_profile(
    both: Path, arguments: tuple[str, ...], variables: dict[str, str], engine: str
) -> None:
    done = sched(both, "workflow", "list", *arguments, **variables)
    assert done.returncode == 3
    assert f"No engine at {engine}." in done.stderr


def test_a_profile_that_is_not_there(both: Path) -> None:
    for done in (
        sched(both, "--profile", "nope", "workflow", "list"),
        sched(both, "workflow", "list", SCHED_PROFILE="nope"),
    ):
        assert done.returncode == 2
        assert "there is no profile 'nope'. There are: used, asked, named." in done.stderr
    assert "--profile needs the name" in sched(both, "workflow", "list", "--profile").stderr
    assert sched(both, "config", "use", "nope").returncode == 2
    assert sched(both, "config", "set", "a b", "--address", "a").returncode == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('profile = "a"\n[profiles.a]\nengine "x"\n', "line 3"),
        (
            '[profiles.a]\nengine = "x"\ncolour = "red"\n',
            "line 3: colour of profile a cannot be used",
        ),
        ("[profiles.a]\nengine = 7\n", "line 2: engine of profile a cannot be used: it is text"),
        ("[profiles.a]\n", "line 1: a cannot be used: a profile needs engine"),
        ('profile = "b"\n', "line 1: profile cannot be used: there is no [profiles.b]"),
        ('\ncolour = "red"\n', "line 2: colour cannot be used"),
    ],
)
def test_a_broken_file_is_one_sentence_that_names_the_line(
    file: Path, text: str, words: str
) -> None:
    file.parent.mkdir()
    file.write_text(text)
    for command in (("workflow", "list"), ("config", "show")):
        done = sched(file, *command)
        assert done.returncode == 2
        assert f"error: {file}, " in done.stderr
        assert words in done.stderr
        assert done.stderr.count("\n") == 1
    assert sched(file, "version").returncode == 0
    assert sched(file, "workflow", "--help").returncode == 0


def test_quiet_says_only_data_and_errors(both: Path) -> None:
    said = sched(both, "config", "use", "asked")
    assert said.stderr == "Commands talk to 127.0.0.1:2 now.\n"
    assert sched(both, "config", "use", "used", "--quiet").stderr == ""
    assert sched(both, "config", "use", "used", SCHED_QUIET="1").stderr == ""
    assert "there is no profile" in sched(both, "--quiet", "--profile", "x", "why", "y").stderr


def test_a_typing_mistake_gets_a_suggestion(both: Path) -> None:
    assert "Did you mean 'list'?" in sched(both, "workflow", "lst").stderr
    assert "--status" in sched(both, "workflow", "list", "--stats", "RUNNING").stderr
