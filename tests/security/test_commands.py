"""Commands at an engine with TLS and tokens: options, variables, profiles, children."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sched_cli.doctor import security
from sched_cli.doctor.findings import Finding, Level
from sched_sdk._access import Access
from tests.cli.support import Running, sched_in_process
from tests.security.conftest import OLD_TOKEN, TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from subprocess import CompletedProcess

    from tests.security.certificates import Certificates

APP = """
from sched_sdk import Client, WorkflowContext, activity, workflow


@activity
async def count() -> int:
    async with await Client.connect() as client:  # as the environment says
        return (await client.count_workflows()).total


@workflow(name="Counts")
async def counts(ctx: WorkflowContext) -> int:
    return await ctx.queue_activity(count)
"""


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("tokens") / "tokens"
    file.write_text(f"{OLD_TOKEN}\n{TOKEN}\n")
    return file


@pytest.fixture(scope="module")
def engine(
    certs: Certificates, tokens: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of `sched dev app.py`, whose worker got in."""
    folder = tmp_path_factory.mktemp("app")
    (folder / "app.py").write_text(APP)
    serving = ["--tls-cert", certs.engine.cert, "--tls-key", certs.engine.key]
    with Running(
        *("dev", "app.py", "--db", ":memory:", "--port", "0", *serving),
        *("--token-file", str(tokens)),
        cwd=folder,
    ) as running:
        address = running.wait_for(r"engine\s+(127\.0\.0\.1:\d+)").group(1)
        running.wait_for(r"worker\s+serves")
        yield address
        assert TOKEN not in running.output
        assert OLD_TOKEN not in running.output


def asked(*arguments: str, config: Path | None = None, **variables: str) -> CompletedProcess[str]:
    file = {} if config is None else {"SCHED_CONFIG": str(config)}
    done = sched_in_process(*arguments, environment=file | variables)
    for token in (TOKEN, OLD_TOKEN):
        assert token not in done.stdout + done.stderr
    return done


def test_options_and_variables_and_what_is_wrong(
    engine: str, certs: Certificates, tokens: Path
) -> None:
    options = ("--engine", engine, "--tls-ca", certs.ca, "--token-file", str(tokens))
    done = asked("workflow", "start", "Counts", "--wait", *options)
    assert (done.returncode, done.stdout.split()[-1]) == (0, "1")
    given = {
        "SCHED_ENGINE_ADDRESS": engine,
        "SCHED_TLS_CA": certs.ca,
        "SCHED_TOKEN": TOKEN,
    }
    assert asked("workflow", "count", **given).returncode == 0
    assert asked("cluster", "status", **given).returncode == 0
    assert asked("time", "advance", "1s", **given).returncode == 0
    refusals = {
        "speaks TLS": {**given, "SCHED_TLS": "0"},
        "is not trusted": {**given, "SCHED_TLS_CA": certs.other_ca},
        "is for another name": {**given, "SCHED_TLS_SERVER_NAME": "engine.example"},
        "the call has none": {**given, "SCHED_TOKEN": ""},
        "does not know the token": {**given, "SCHED_TOKEN": "x" * 20},
        "cannot be read": {**given, "SCHED_TLS_CA": "/missing.pem"},
    }
    for words, variables in refusals.items():
        for command in (("workflow", "count"), ("cluster", "status")):
            done = asked(*command, **variables)
            assert done.returncode == 2, done.stderr
            assert words in done.stderr
            assert done.stderr.count("\n") == 1
    wrong = asked("workflow", "count", "--token-file", str(tokens), **{**given, "SCHED_TOKEN": "x"})
    assert wrong.returncode == 0, "what is typed counts more than a variable"


def test_profiles_hold_how_to_get_in(
    engine: str, certs: Certificates, tokens: Path, tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    made = asked(
        *("config", "set", "safe", "--address", engine, "--tls-ca", certs.ca),
        *("--token-file", os.path.relpath(tokens)),
        config=config,
    )
    assert made.returncode == 0
    assert asked("workflow", "count", "--profile", "safe", config=config).returncode == 0
    changed = asked("config", "set", "safe", "--tls-server-name", "x.example", config=config)
    assert changed.returncode == 0
    refused = asked("workflow", "count", "--profile", "safe", config=config)
    assert "is for another name" in refused.stderr

    config.write_text(
        f'profile = "own"\n[profiles.own]\nengine = "{engine}"\ntls_ca = "{certs.ca}"\n'
        f'token = "{TOKEN}"\n'
    )
    config.chmod(0o644)
    warned = asked("workflow", "count", config=config)
    assert (warned.returncode, f"chmod 600 {config}" in warned.stderr) == (0, True)
    asked("config", "set", "other", "--address", "localhost", config=config)
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert TOKEN in config.read_text()
    assert asked("workflow", "count", config=config).stderr == ""
    shown = json.loads(asked("config", "show", "-o", "json", config=config).stdout)
    assert (shown["tls"], shown["tls_ca"], shown["token"]) == (True, certs.ca, "***")
    assert "token   ***" in asked("config", "show", config=config).stdout
    # A variable counts more than the profile in use, and less than one that is typed.
    wrong = {"SCHED_TOKEN": "x" * 20}
    assert asked("workflow", "count", config=config, **wrong).returncode == 2
    assert asked("workflow", "count", "--profile", "own", config=config, **wrong).returncode == 0
    # Nothing of it goes to an engine that it does not name.
    other = engine.replace("127.0.0.1", "localhost")
    done = asked("workflow", "count", "--engine", other, config=config)
    assert "speaks TLS" in done.stderr
    done = asked("workflow", "count", "--engine", other, "--tls-ca", certs.ca, config=config)
    assert "the call has none" in done.stderr


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('token = "with space"', "line 5: token of profile b cannot be used: it has spaces"),
        ('token = "a"\ntoken_file = "f"', "line 5: token of profile b cannot be used: there is"),
        ("tls = 1", "line 5: tls of profile b cannot be used: it is true or false"),
        ('tls_cert = "c"', "line 5: tls_cert of profile b cannot be used: it goes with tls_key"),
        ('tls = false\ntls_ca = "c"', "line 6: tls_ca of profile b cannot be used: tls is false"),
        ('tls-ca = "c"', "line 5: tls-ca of profile b cannot be used: a profile has no such key"),
    ],
)
def test_a_profile_that_cannot_be_used(tmp_path: Path, lines: str, words: str) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[profiles.a]\nengine = "a"\n[profiles.b]\nengine = "b"\n' + lines + "\n")
    done = asked("workflow", "count", config=config)
    assert done.returncode == 2
    assert f"error: {config}, {words}" in done.stderr
    assert "with space" not in done.stderr


def test_completion_gets_in(engine: str, certs: Certificates, tokens: Path) -> None:
    line = f"sched workflow start --engine {engine} --tls-ca {certs.ca} --token-file {tokens} Cou"
    completing = {
        "_SCHED_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split()) - 1),
    }
    assert asked(**completing).stdout.split() == ["Counts"]


def test_the_doctor_looks_at_certificates_and_tokens(
    engine: str, certs: Certificates, tokens: Path
) -> None:
    given = {"SCHED_ENGINE_ADDRESS": engine, "SCHED_TLS_CA": certs.ca}
    done = asked("doctor", "-o", "json", SCHED_TOKEN_FILE=str(tokens), **given)
    levels = {each["check"]: each["level"] for each in json.loads(done.stdout)["findings"]}
    assert levels["engine.certificate"] == "ok"
    assert "engine.token" not in levels
    refused = asked("doctor", **given)
    assert refused.returncode == 3
    assert "asks for a token" in refused.stdout
    assert security.judge_expiry("a:1", 14.5).level is Level.OK
    soon = security.judge_expiry("a:1", 13.6)
    assert (soon.level, soon.message) == (Level.WARN, "The certificate of a:1 expires in 14 days.")
    far, here = asyncio.run(tokens_in_plain_text())
    assert [each.check for each in far] == ["engine.token"]
    assert here == []


async def tokens_in_plain_text() -> tuple[list[Finding], list[Finding]]:
    access = Access(token=TOKEN)
    far = await security.examine(["127.0.0.1:1", "192.0.2.1:1"], access)
    return far, await security.examine(["127.0.0.1:1", "[::1]:1"], access)


def test_an_engine_with_files_that_are_no_use_is_a_mistake_of_usage(
    certs: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    short = tmp_path / "short"
    short.write_text("secret")
    for arguments, words in (
        (("--tls-cert", certs.engine.cert, "--tls-key", certs.client.key), "does not belong"),
        (("--token-file", str(short)), "has 6 characters; it needs 16"),
    ):
        for kind in (("--db", ":memory:"), ("--ha",)):
            done = asked("dev", *kind, "--port", "0", *arguments)
            assert done.returncode == 2, done.stderr
            assert words in done.stderr
            assert "secret" not in done.stderr
    assert list(tmp_path.iterdir()) == [short], "nothing is made for what cannot start"
