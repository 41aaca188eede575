"""Engines that commands run, with TLS, tokens and certificates of callers: real processes."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.engines import address_of, start_engine
from tests.cli.support import Running, sched_in_process
from tests.cli.test_dev_ha import LEADS, WAITS, descendants, no_data_is_left
from tests.security.conftest import OLD_TOKEN, TOKEN
from tests.servers.fixtures import postgres_database, postgres_server

if TYPE_CHECKING:
    from subprocess import CompletedProcess

    from tests.security.certificates import Certificates

__all__ = ["no_data_is_left", "postgres_database", "postgres_server"]


class Caller:
    """Commands that get in, and those that do not."""

    def __init__(self, engines: str, certs: Certificates, **variables: str) -> None:
        self.variables = {
            "SCHED_ENGINE_ADDRESS": engines,
            "SCHED_TLS_CA": certs.ca,
            "SCHED_TOKEN": TOKEN,
            **variables,
        }

    def ask(self, *arguments: str, **variables: str) -> CompletedProcess[str]:
        return sched_in_process(*arguments, environment=self.variables | variables)

    def result_of(self, *arguments: str) -> str:
        done = self.ask(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def is_refused(self, words: str, **variables: str) -> None:
        done = self.ask("workflow", "count", **variables)
        assert (done.returncode, words in done.stderr) == (2, True), done.stderr


def what_others_see(pid: int) -> str:
    """The command lines of these processes, as `ps` shows them."""
    return "\n".join(
        Path(f"/proc/{each}/cmdline").read_text().replace("\0", " ")
        for each in (pid, *descendants(pid))
    )


def test_a_takeover_by_tls_and_token(certs: Certificates, tmp_path: Path, token_file: str) -> None:
    (tmp_path / "app.py").write_text(WAITS)
    serving = ["--tls-cert", certs.engine.cert, "--tls-key", certs.engine.key]
    with Running(
        *("dev", "app.py", "--ha", "--port", "0", *serving, "--token-file", token_file),
        cwd=tmp_path,
    ) as cluster:
        clients = cluster.wait_for(r"clients --engine (\S+)( --tls-ca \S+ --token-file \S+)\n")
        caller = Caller(clients.group(1), certs)
        leader = cluster.wait_for(LEADS)
        cluster.wait_for("serves workflow Waits")
        cluster.wait_for(r"pid \d+\) stands by")
        caller.is_refused("the call has none", SCHED_TOKEN="")
        caller.is_refused("speaks TLS", SCHED_TLS="0")
        # What the lines on stderr say to add is enough.
        told = sched_in_process(
            *("workflow", "start", "Waits", "--id", "w", "--engine", clients.group(1)),
            *clients.group(2).split(),
            environment={},
        )
        assert told.returncode == 0, told.stderr

        said = len(cluster.output)
        os.kill(int(leader.group(2)), signal.SIGKILL)
        cluster.wait_for(LEADS + r" after \d+\.\d\d s, epoch 2", after=said)
        caller.result_of("workflow", "signal", "w", "go", "-i", "on")
        waited = caller.result_of("workflow", "result", "w", "--timeout", "10s")
        assert waited == "went on\n"
        # Nor does the engine that is started again let everybody in.
        again = cluster.wait_for(r"standby (\S+) \(pid \d+\)", after=said).group(1)
        assert again == leader.group(1)
        caller.is_refused("the call has none", SCHED_TOKEN="", SCHED_ENGINE_ADDRESS=again)
        seen = what_others_see(cluster.process.pid)
    assert cluster.process.returncode == 0
    assert token_file in seen
    for token in (TOKEN, OLD_TOKEN):
        assert token not in seen + cluster.output


@pytest.mark.parametrize("by_variables", [False, True])
def test_an_engine_asks_for_all_three(
    certs: Certificates,
    tmp_path: Path,
    token_file: str,
    postgres_database: str,
    by_variables: bool,
) -> None:
    given = {
        "tls-cert": certs.engine.cert,
        "tls-key": certs.engine.key,
        "tls-client-ca": certs.ca,
        "token-file": token_file,
    }
    options = (
        [] if by_variables else [part for name in given for part in (f"--{name}", given[name])]
    )
    variables = {
        f"SCHED_ENGINE_{name.upper().replace('-', '_')}": file for name, file in given.items()
    }
    environment = variables if by_variables else {}
    with start_engine(tmp_path, postgres_database, *options, environment=environment) as engine:
        engine.wait_for("leads, epoch")
        shown = {"SCHED_TLS_CERT": certs.client.cert, "SCHED_TLS_KEY": certs.client.key}
        caller = Caller(address_of(engine), certs, **shown)
        assert json.loads(caller.result_of("workflow", "count", "-o", "json"))["total"] == 0
        caller.is_refused("asks callers for a certificate", SCHED_TLS_CERT="", SCHED_TLS_KEY="")
        caller.is_refused("does not know the token", SCHED_TOKEN="x" * 20)
        caller.is_refused("speaks TLS", SCHED_TLS="0", SCHED_TLS_CERT="", SCHED_TLS_KEY="")
        seen = what_others_see(engine.process.pid)
    assert engine.process.returncode == 0
    for token in (TOKEN, OLD_TOKEN):
        assert token not in seen + engine.output
