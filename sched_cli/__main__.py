"""`python -m sched_cli` is `sched`."""

from sched_cli.main import run

if __name__ == "__main__":
    run()
