"""The front door of the command line: finds the command, prints errors as one line, sets the exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable

from firmware import VERSION
from firmware.core.errors import StationError
from hal.errors import HalError, nearest

USAGE = """\
lintel: open firmware for a network door station, simulated or real

  lintel run      [--board NAME|FILE] [--hal sim|real] [--state DIR] [--http HOST:PORT]
                  [--https HOST:PORT|off] [--rtsp HOST:PORT|off] [--discovery ADAPTER,...|all|off]
                  [--machine sim|real] [--role all|control|media|network] [--no-web]
  lintel explain  [--board NAME|FILE]
  lintel doctor   [--board NAME|FILE] [--json]   what is missing on this machine, and what mends it
  lintel param    list|get|set|reset ...     (lintel param --help lists the options)
  lintel bench    [--state DIR] VERB ...     (lintel bench --help lists the verbs)

at the device itself, without an account ([--state DIR] [--json]; --help of each tells more):
  lintel status   | report [FILE.txt|.zip|.tgz] | ping HOST | port-check HOST PORT [--udp] | locate [--for S|--stop]
  lintel restart  | upgrade FILE [--mode MODE] | confirm
  lintel restore  | factory-default | rollback   with --yes, because they cannot be undone

  lintel bundle   build|sign|inspect|keys    (lintel bundle --help lists the options)
  lintel dispatcher [--listen HOST:PORT]     (lintel dispatcher --help lists the options)
  lintel safe-outputs [--board NAME|FILE]    (puts every output of a real board at rest; units run it)
  lintel trace-adapter    (listens to an adapter for the network role; a unit runs it)
  lintel --version

To try it: 'lintel run' in one terminal, the lines it prints in another.
"""


def _run(words: list[str]) -> int:
    from firmware.cli.run import command

    return command(words)


def _explain(words: list[str]) -> int:
    from firmware.cli.explain import command

    return command(words)


def _doctor(words: list[str]) -> int:
    from firmware.cli.doctor import command

    return command(words)


def _param(words: list[str]) -> int:
    from firmware.cli.param import command

    return command(words)


def _bench(words: list[str]) -> int:
    from firmware.cli.bench import command

    return command(words)


def _bundle(words: list[str]) -> int:
    from firmware.cli.bundle import command

    return command(words)


def _dispatcher(words: list[str]) -> int:
    from firmware.cli.dispatcher import command

    return command(words)


def _safe_outputs(words: list[str]) -> int:
    from firmware.cli.safe_outputs import command

    return command(words)


def _trace_adapter(words: list[str]) -> int:
    from firmware.cli.trace_adapter import command

    return command(words)


def _maintain(verb: str) -> Callable[[list[str]], int]:
    def run(words: list[str]) -> int:
        from firmware.cli.maintenance import VERBS

        return VERBS[verb](words)

    return run


def _look(verb: str) -> Callable[[list[str]], int]:
    def run(words: list[str]) -> int:
        from firmware.cli.troubleshooting import VERBS

        return VERBS[verb](words)

    return run


# At the device itself: verbs of two files, named here so that a wrong one is told without loading either.
TROUBLESHOOTING = ("status", "report", "ping", "port-check")
MAINTENANCE = ("locate", "restart", "upgrade", "confirm", "restore", "factory-default", "rollback")
COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "run": _run,
    "explain": _explain,
    "doctor": _doctor,
    "param": _param,
    "bench": _bench,
    **{verb: _look(verb) for verb in TROUBLESHOOTING},
    **{verb: _maintain(verb) for verb in MAINTENANCE},
    "bundle": _bundle,
    "dispatcher": _dispatcher,
    "safe-outputs": _safe_outputs,
    "trace-adapter": _trace_adapter,
}


def run(words: list[str]) -> int:
    """Run one command; returns the exit code: 0 well, 1 refused, 2 misunderstood."""
    if not words or words[0] in ("-h", "--help", "help"):
        print(USAGE, end="")
        return 0 if words else 2
    if words[0] == "--version":
        print(f"lintel {VERSION}")
        return 0
    name, rest = words[0], words[1:]
    if name not in COMMANDS:
        return complain(f"unknown command {name!r}{nearest(name, COMMANDS)}", 2)
    try:
        return COMMANDS[name](rest)
    except (StationError, HalError) as error:
        return complain(str(error), 1)


def complain(line: str, code: int) -> int:
    """One line on standard error."""
    text = " ".join(line.split())
    print(text if text.startswith("lintel") else f"lintel: {text}", file=sys.stderr)
    return code
