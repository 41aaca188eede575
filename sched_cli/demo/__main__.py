"""`python -m sched_cli.demo`."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the demo. Returns the exit code: 0 when everything was as promised."""
    import logging

    from sched_cli import loops
    from sched_cli.demo.parts import DemoError
    from sched_cli.demo.story import tell
    from sched_cli.render.console import print_error

    # The client says when it loses the engine. Here that is part of the story.
    logging.getLogger("sched.client").addHandler(logging.NullHandler())
    try:
        loops.run(tell())
    except DemoError as error:
        print_error(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
