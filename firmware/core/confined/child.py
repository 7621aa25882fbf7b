"""Starts a confined child, takes what it says within bounds, and leaves nothing of it behind. It blocks, for seconds.

The child gets its request on standard input and one open file; it answers on standard output, and may send bulk data
through a second pipe. Whatever else becomes of it is a `ChildFailed`.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from hal.clock import SystemClock

PROGRAM_TREE = Path(__file__).resolve().parents[3]
# How long a child that has closed its mouth may take to end.
ENDING_S = 20.0
_PIECE = 64 * 1024

Sink = Callable[[bytes], None]


class Fault(StrEnum):
    """What became of a child that did not answer."""

    MISSING = "missing"
    TIME = "time"
    CRASHED = "crashed"
    TOO_LONG = "too long"


class ChildFailed(Exception):
    """The child gave no answer, and why."""

    def __init__(self, fault: Fault, detail: str = "") -> None:
        super().__init__(f"{fault}: {detail}")
        self.fault = fault
        self.detail = detail


def start_of(module: str) -> str:
    """The program of a child: the function `main` of a module of the program tree, the only place that is added."""
    return f"import sys; sys.path.insert(0, sys.argv[1]); from {module} import main; main()"


def ask(
    program: str,
    file: int,
    request: bytes,
    *,
    patience_s: float,
    ending_s: float = ENDING_S,
    longest_answer: int = _PIECE,
    sink: Sink | None = None,
) -> bytes:
    """Start the child, and wait for its answer. Raises ChildFailed, and what the sink raises.

    The child's arguments are the program tree, the number of `file` and, with a sink, the number of the pipe for bulk
    data. `patience_s` is for all it has to say, `ending_s` for its end.
    """
    with contextlib.ExitStack() as opened:
        words, passed = [str(PROGRAM_TREE), str(file)], [file]
        bulk: int | None = None
        theirs: int | None = None
        if sink is not None:
            bulk, theirs = os.pipe()
            opened.callback(os.close, bulk)
            words.append(str(theirs))
            passed.append(theirs)
        # The request goes as a file without a name: a child that does not read it cannot make this process wait.
        asked = os.memfd_create("request")
        try:
            os.write(asked, request)
            os.lseek(asked, 0, os.SEEK_SET)
            child = _start(program, words, passed, asked)
        finally:
            os.close(asked)
            if theirs is not None:
                os.close(theirs)
        assert child.stdout is not None
        opened.enter_context(child.stdout)
        try:
            said = _listen(child.stdout.fileno(), bulk, sink, patience_s, longest_answer)
            ended = child.wait(timeout=ending_s)
        except subprocess.TimeoutExpired:
            raise ChildFailed(Fault.TIME) from None
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)  # a session of its own: with it goes what it started
            child.wait()
    if ended == -signal.SIGXCPU:
        raise ChildFailed(Fault.TIME)
    if ended != 0:
        raise ChildFailed(Fault.CRASHED, f"signal {-ended}" if ended < 0 else f"code {ended}")
    return said


def _start(program: str, words: list[str], passed: list[int], asked: int) -> subprocess.Popen[bytes]:
    """Isolated from the environment and the working folder. Raises ChildFailed."""
    try:
        return subprocess.Popen(
            [sys.executable, "-I", "-B", "-c", program, *words],
            stdin=asked,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=passed,
            env={},
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        raise ChildFailed(Fault.MISSING, error.strerror or "") from None


def _listen(answers: int, bulk: int | None, sink: Sink | None, patience_s: float, longest: int) -> bytes:
    """Everything the child says until both pipes end, which is bounded in length and time. Raises ChildFailed."""
    clock = SystemClock()
    deadline_ns = clock.now_ns() + int(patience_s * 1e9)
    said = bytearray()
    with selectors.DefaultSelector() as waiting:
        waiting.register(answers, selectors.EVENT_READ)
        if bulk is not None:
            waiting.register(bulk, selectors.EVENT_READ)
        while waiting.get_map():
            left_s = (deadline_ns - clock.now_ns()) / 1e9
            ready = waiting.select(left_s) if left_s > 0 else []
            if not ready:
                raise ChildFailed(Fault.TIME)
            for key, _ in ready:
                part = os.read(key.fd, _PIECE)
                if not part:
                    waiting.unregister(key.fd)
                elif key.fd == bulk and sink is not None:
                    sink(part)
                else:
                    said += part
                    if len(said) > longest:
                        raise ChildFailed(Fault.TOO_LONG)
    return bytes(said)
