"""The gate: nothing of an uploaded file is used before a locked-in child process has found nothing wrong with it.

`approve` is the one way in. The child has no privileges, network, or right to write; whatever happens to it, an
exception, a signal, silence, is a refusal. Nothing on disk changes either way.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from firmware.upgrade.certificates import DEVICE, LARGEST_KEYRING, RELEASE
from firmware.upgrade.context import GateContext, Mode, at_least
from firmware.upgrade.gate_child import Request
from firmware.upgrade.ports import Approved, Image
from firmware.upgrade.refusals import Refusal, Why
from hal.clock import SystemClock

PROGRAM_TREE = Path(__file__).resolve().parents[2]
# Isolated from the environment and the working folder; the program tree is the only place added.
_START = "import sys; sys.path.insert(0, sys.argv[1]); from firmware.upgrade.gate_child import main; main()"
LONGEST_ANSWER = 64 * 1024
# The longest silence in seconds, and the slowest storage, in bytes a second, that is still waited for.
PATIENCE_S = 20.0
SLOWEST_STORAGE = 2 * 1024 * 1024
_HEX64 = re.compile(r"[0-9a-f]{64}")

__all__ = ["GateContext", "Mode", "Refusal", "Why", "approve", "at_least"]


def approve(path: Path, context: GateContext) -> Approved:
    """Let a spooled bundle through, or raise the one Refusal that says why not; blocks, for seconds.

    The caller keeps the file as it is from here on: nobody else may write to it.
    """
    request = _request(context).encode()
    try:
        # Not blocking, or a pipe in the place of a file would be waited for.
        bundle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Refusal(Why.UNREADABLE, error.strerror or "") from None
    try:
        size = os.fstat(bundle).st_size
        return _approved(path, context, _ask(bundle, request, PATIENCE_S + size / SLOWEST_STORAGE))
    finally:
        os.close(bundle)


def _request(context: GateContext) -> Request:
    release = read_bounded(context.keyring / "release.pem")
    if release is None:
        raise Refusal(Why.NO_KEYRING, "release.pem is missing")
    custom = read_bounded(context.keyring / "custom.pem")
    certificate = None if context.certificate is None else read_bounded(context.certificate)
    return Request(context=context, release=release, custom=custom, certificate=certificate)


def read_bounded(path: Path) -> bytes | None:
    """A small file of the keyring; None when it is not there. Raises Refusal."""
    try:
        with path.open("rb") as file:
            found = file.read(LARGEST_KEYRING + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Refusal(Why.NO_KEYRING, f"{path.name}: {error.strerror}") from None
    if len(found) > LARGEST_KEYRING:
        raise Refusal(Why.NO_KEYRING, f"{path.name} is longer than {LARGEST_KEYRING} bytes")
    return found


def _ask(bundle: int, request: bytes, patience_s: float) -> bytes:
    """Start the child, and wait for its answer. Raises Refusal."""
    command = [sys.executable, "-I", "-B", "-c", _START, str(PROGRAM_TREE), str(bundle)]
    # The request goes as a file without a name: a child that does not read it cannot make this process wait.
    asked = os.memfd_create("request")
    try:
        os.write(asked, request)
        os.lseek(asked, 0, os.SEEK_SET)
        child = subprocess.Popen(
            command,
            stdin=asked,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=(bundle,),
            env={},
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        raise Refusal(Why.CHILD_MISSING, error.strerror or "") from None
    finally:
        os.close(asked)
    assert child.stdout is not None
    with child.stdout as answers:
        try:
            said = _read_answer(answers.fileno(), patience_s)
            ended = child.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise Refusal(Why.CHILD_TIME) from None
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)  # a session of its own: with it goes what it started
            child.wait()
    if ended == -signal.SIGXCPU:
        raise Refusal(Why.CHILD_TIME)
    if ended != 0:
        raise Refusal(Why.CHILD_CRASHED, f"signal {-ended}" if ended < 0 else f"code {ended}")
    return said


def _read_answer(stream: int, patience_s: float) -> bytes:
    """Everything the child says until it ends, which is bounded in length and time. Raises Refusal."""
    clock = SystemClock()
    deadline_ns = clock.now_ns() + int(patience_s * 1e9)
    said = bytearray()
    with selectors.DefaultSelector() as waiting:
        waiting.register(stream, selectors.EVENT_READ)
        while True:
            left_s = (deadline_ns - clock.now_ns()) / 1e9
            if left_s <= 0 or not waiting.select(left_s):
                raise Refusal(Why.CHILD_TIME)
            part = os.read(stream, LONGEST_ANSWER)
            if not part:
                return bytes(said)
            said += part
            if len(said) > LONGEST_ANSWER:
                raise Refusal(Why.CHILD_ANSWER, "too long")


def _approved(path: Path, context: GateContext, said: bytes) -> Approved:
    """The child's answer as a value: read as strictly as if the bundle itself had written it. Raises Refusal."""
    try:
        values: dict[str, Any] = json.loads(said)
        if "refused" in values:
            why, detail = values["refused"]
            raise Refusal(Why(why), str(detail)[:300])
        values = values["approved"]
        images = tuple(
            Image(name=_text(name), filename=_text(file), size=_count(size), sha256=_digest(sha256))
            for name, file, size, sha256 in values["images"]
        )
        return Approved(
            bundle=path,
            version=_text(values["version"]),
            model=context.model,
            manifest_sha256=_digest(values["manifest_sha256"]),
            signer=_role(values["signer"]),
            counter=_count(values["counter"]),
            images=images,
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Refusal(Why.CHILD_ANSWER) from None


def _text(value: object) -> str:
    if not isinstance(value, str) or not value or len(value) > 128 or "/" in value or not value.isprintable():
        raise ValueError("not a short text")
    return value


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("not a count")
    return value


def _digest(value: object) -> str:
    if not isinstance(value, str) or _HEX64.fullmatch(value) is None:
        raise ValueError("not a digest")
    return value


def _role(value: object) -> str:
    if value not in (RELEASE, DEVICE):
        raise ValueError("not a role")
    return str(value)
