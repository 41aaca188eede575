"""How the tests use the machine, so that no core is idle and none works for nothing.

Many tests wait: for processes to start, for leases to end. So there are more workers
than cores. A file is run by one worker, and the longest files come first: one of them
at the end would be waited for by all others.
"""

from __future__ import annotations

import os
import signal
import sys

import pytest

SECONDS = {
    "tests/chaos/test_chaos.py": 25,
    "tests/cli/test_asking.py": 10,
    "tests/cli/test_bad_input.py": 20,
    "tests/cli/test_bad_redis.py": 10,
    "tests/cli/test_cluster.py": 15,
    "tests/cli/test_dev.py": 55,
    "tests/cli/test_dev_ha.py": 20,
    "tests/cli/test_engine.py": 30,
    "tests/cli/test_help.py": 20,
    "tests/cli/test_migrate.py": 25,
    "tests/cli/test_reload.py": 65,
    "tests/cli/test_reload_gate.py": 55,
    "tests/cli/test_replay_step.py": 12,
    "tests/cli/test_workflow_commands.py": 25,
    "tests/crash/test_crash.py": 35,
    "tests/ha/test_graceful.py": 20,
    "tests/ha/test_hung_leader.py": 25,
    "tests/ha/test_leader_lost.py": 30,
    "tests/ha/test_recovery.py": 15,
    "tests/leadership/test_postgres.py": 10,
    "tests/model/test_protocol.py": 20,
    "tests/observability/test_worker_metrics.py": 15,
    "tests/security/test_engine_commands.py": 10,
    "tests/sim/test_seeds.py": 35,
    "tests/store/test_postgres_conformance.py": 40,
    "tests/tui/browser/test_browsing.py": 10,
    "tests/tui/browser/test_failures.py": 10,
    "tests/tui/browser/test_live.py": 20,
    "tests/tui/browser/test_pictures.py": 20,
    "tests/tui/browser/test_stepping.py": 12,
    "tests/tui/test_step_view.py": 20,
}
"""Files that take ten seconds or more, and about how many."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """What `-n auto` is."""
    cores = len(os.sched_getaffinity(0))
    return cores + max(1, cores // 2)


def pytest_configure(config: pytest.Config) -> None:
    # xdist would begin with the files that have the most tests.
    config.option.loadscopereorder = False


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first; all others as they were drawn."""
    items.sort(key=lambda item: -SECONDS.get(item.nodeid.partition("::")[0], 0))


def as_at_a_terminal() -> None:
    """Ctrl-C is heard, also by what is started from a script's background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def keep_compiled_files() -> None:
    """Hundreds of processes are started: each would compile the whole program, where
    the environment, as in many containers, forbids to keep what is compiled."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
