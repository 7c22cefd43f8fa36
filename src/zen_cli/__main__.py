"""`zen` and `python -m zen_cli`."""

from __future__ import annotations

import sys


def run() -> None:
    """Runs the command line; Ctrl-C shows no traceback, also while modules are imported."""
    try:
        from .cli import main

        main()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    run()
