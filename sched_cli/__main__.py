"""`python -m sched_cli` is `sched`."""

try:
    from sched_cli import interrupts

    interrupts.remember()

    from sched_cli.main import run
except KeyboardInterrupt:  # Ctrl-C while Python still reads its modules
    raise SystemExit(130) from None

if __name__ == "__main__":
    run()
