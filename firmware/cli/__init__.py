"""The command `lintel`: run, explain, bench. Every mistake is one line that names the nearest valid word."""

from __future__ import annotations

import os
import sys

# What a shell reports for a program ended by SIGINT, and by SIGPIPE.
INTERRUPTED = 130
PIPE_CLOSED = 141


def run(words: list[str]) -> int:
    """Run one command; Ctrl-C, also while the program is being loaded, and a reader that goes away end it silently."""
    try:
        from firmware.cli.main import run as run_command

        try:
            return run_command(words)
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The interpreter flushes once more on its way out: into nothing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED


__all__ = ["run"]
