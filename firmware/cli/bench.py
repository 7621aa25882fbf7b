"""`lintel bench`: drives and watches a running simulated device; JSON on standard output.

The verbs themselves live in the board process (`firmware.board_process.verbs`); this side carries words
to its socket and prints what comes back.
"""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from firmware.cli.parser import Parser
from firmware.core.errors import ERRORS, Invalid, StationError, Unavailable
from firmware.paths import LONGEST_LINE, RuntimeDir, StateDir
from hal.errors import nearest

VERBS = """\
lintel bench [--state DIR] VERB ...    prints JSON; DIR is ./state unless given

  power on|off|cycle [--hold BUTTON]...   the supply of the whole device
  press BUTTON [--for S]                  press and let go
  hold BUTTON | release BUTTON            a finger that stays
  swipe READER FORMAT:FACILITY:NUMBER     a card, such as H10301:42:1234; or its bits
  keys READER DIGITS                      keys of a reader's keypad, such as 1234#
  input PORT open|closed|cut|short        a contact or the loop at a terminal
  tamper PEER                             open a housing
  unplug PEER | plug PEER                 the cable of a peer
  fault PEER KIND | fault PEER none       misbehaviour on demand
  show scene|FILE [CAMERA]                what a camera sees: the painted scene, or a film (YUV4MPEG2, 4:2:0)
  cover [CAMERA] [covered|sprayed|blurred|turned] | blur CAMERA | turn CAMERA | uncover [CAMERA]
  bump [ACCELEROMETER] [G]                a hit of the housing
  light LUX                               the light around the device, for its sensor and its cameras
  light on|off CAMERA                     a lamp before a camera
  panel PANEL light|buzz|text|output|move|key|install|use ...   what somebody's panel sends to us
  hear tone:HZ[:S[:DBFS]]|noise|speech|FILE.wav|quiet   what somebody says at the microphones
  noise DBFS|off                          how noisy it is there, from now on
  loss SPEAKER DB                         how much quieter a speaker has become
  heard [MICROPHONE] [--since S] [--out FILE.wav]   what the speakers gave, or a microphone got
  trace NAME [--since S]                  what was seen on a relay, light, contact
  state                                   version, slot, process of each role, all peers
  watch                                   every change, a line each, until interrupted
"""


def command(words: list[str]) -> int:
    """Send one verb. Raises what the board process answers."""
    if any(word in ("-h", "--help") for word in words):
        print(VERBS, end="")
        return 0
    state, words = take_state(words)
    if not words:
        Parser(prog="lintel bench").error("a verb is missing; 'lintel bench --help' lists them")
    if words[0].startswith("-"):
        raise Invalid("lintel bench", f"unknown option {words[0]!r}{nearest(words[0].split('=')[0], ['--state'])}")
    line = json.dumps(with_whole_paths(words)).encode() + b"\n"
    if len(line) > LONGEST_LINE:
        raise Invalid("lintel bench", f"{len(line)} bytes of words; the longest is {LONGEST_LINE}")
    with connect(StateDir(Path(state).absolute())) as stream:
        try:
            stream.sendall(line)
        except ConnectionError:
            raise Unavailable("bench", "the device ended before it was asked") from None
        return print_answers(stream)


def with_whole_paths(words: list[str]) -> list[str]:
    """The words with files from here: the board process may stand elsewhere."""
    if words[0] == "hear" and len(words) > 1 and words[1].endswith(".wav"):
        return [words[0], str(Path(words[1]).absolute()), *words[2:]]
    if words[0] == "show" and len(words) > 1 and words[1] != "scene":
        return [words[0], str(Path(words[1]).absolute()), *words[2:]]
    if words[0] == "heard" and "--out" in words[:-1]:
        at = words.index("--out") + 1
        return [*words[:at], str(Path(words[at]).absolute()), *words[at + 1 :]]
    return words


def take_state(words: list[str]) -> tuple[str, list[str]]:
    """The state directory, and the words without it, wherever `--state DIR` stands among them. Raises Invalid."""
    for at, word in enumerate(words):
        option, equals, value = word.partition("=")
        if option != "--state":
            continue
        after = at + 1 if equals else at + 2
        value = value if equals else "".join(words[at + 1 : after])
        if not value:
            Parser(prog="lintel bench").error("--state needs a directory")
        return value, words[:at] + words[after:]
    return "./state", words


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
    """Print each answer line as JSON; an error line is raised. Raises Unavailable when the device ends before it."""
    answered = False
    with stream.makefile("r", encoding="utf-8") as answers:
        for line in lines_of(answers):
            answered = True
            answer = json.loads(line)
            if "error" in answer:
                error = answer["error"]
                raise ERRORS.get(error["code"], StationError)(error["where"], error["message"])
            print(json.dumps(answer["answer"], ensure_ascii=False))
            sys.stdout.flush()
    if not answered:
        raise Unavailable("bench", "the device ended before it answered")
    return 0


def lines_of(answers: TextIO) -> Iterator[str]:
    """The lines until the other end closes, or is gone."""
    try:
        yield from answers
    except ConnectionError:
        return  # killed with our words unread: the same as an end without an answer
