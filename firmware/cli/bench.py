"""`lintel bench`: drives and watches a running simulated device; JSON on standard output.

The verbs themselves live in the board process (`firmware.board_process.verbs`); this side carries words
to its socket and prints what comes back.
"""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

from firmware.cli.parser import Parser
from firmware.core.errors import ERRORS, StationError, Unavailable
from firmware.paths import RuntimeDir, StateDir

VERBS = """\
lintel bench [--state DIR] VERB ...    prints JSON

  power on|off|cycle [--hold BUTTON]...   the supply of the whole device
  press BUTTON [--for S]                  press and let go
  hold BUTTON | release BUTTON            a finger that stays
  swipe READER FORMAT:FACILITY:NUMBER     a card, such as H10301:42:1234; or its bits
  keys READER DIGITS                      keys of a reader's keypad, such as 1234#
  input PORT open|closed|cut|short        a contact or the loop at a terminal
  tamper PEER                             open a housing
  unplug PEER | plug PEER                 the cable of a peer
  fault PEER KIND | fault PEER none       misbehaviour on demand
  trace NAME [--since S]                  what was seen on a relay, light, contact
  state                                   version, slot, process of each role, all peers
  watch                                   every change, a line each, until interrupted
"""


def command(words: list[str]) -> int:
    """Send one verb. Raises what the board process answers."""
    if words and words[0] in ("-h", "--help"):
        print(VERBS, end="")
        return 0
    state = "./state"
    if words and words[0] == "--state":
        if len(words) < 2:
            Parser(prog="lintel bench").error("--state needs a directory")
        state, words = words[1], words[2:]
    if not words:
        Parser(prog="lintel bench").error("a verb is missing; 'lintel bench --help' lists them")
    with connect(StateDir(Path(state))) as stream:
        stream.sendall(json.dumps(words).encode() + b"\n")
        return print_answers(stream)


def connect(state: StateDir) -> socket.socket:
    """The bench socket of the device that runs in `state`. Raises Unavailable."""
    address = RuntimeDir.of(state).bench
    stream = socket.socket(socket.AF_UNIX)
    try:
        stream.connect(str(address))
    except OSError:
        stream.close()
        raise Unavailable("--state", f"no device runs in {state.root}; start one with 'lintel run'") from None
    return stream


def print_answers(stream: socket.socket) -> int:
    """Print each answer line as JSON; an error line is raised."""
    with stream.makefile("r", encoding="utf-8") as answers:
        for line in answers:
            answer = json.loads(line)
            if "error" in answer:
                error = answer["error"]
                raise ERRORS.get(error["code"], StationError)(error["where"], error["message"])
            print(json.dumps(answer["answer"], ensure_ascii=False))
            sys.stdout.flush()
    return 0
