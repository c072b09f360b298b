"""The command `rnndyn`: reads arguments, calls the floors below, says in one sentence what went wrong.

Exit codes: 0 done, 1 a failure of the program or the machine, 2 a mistake of the user, 130 interrupted.
"""

import gc

from rnndyn.cli import facts, looking, refining, sweeping, verify, writing
from rnndyn.cli.app import app

__all__ = ["app", "facts", "looking", "main", "refining", "sweeping", "verify", "writing"]


def main() -> None:
    """Run the command line and leave with its exit code."""
    # Imports and figures make many objects that stay: to look through them hundreds of times takes 7 % of a report.
    gc.set_threshold(50_000, 20, 100)
    try:
        app()
    finally:
        gc.freeze()  # nor must the end of the process look through them: 0.7 s after a report
