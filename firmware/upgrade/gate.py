"""The gate: nothing of an uploaded file is used before a locked-in child process has found nothing wrong with it.

`approve` is the one way in. The child has no privileges, network, or right to write; whatever happens to it, an
exception, a signal, silence, is a refusal. Nothing on disk changes either way.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from firmware.core.confined.child import ChildFailed, Fault, ask, start_of
from firmware.upgrade.certificates import DEVICE, LARGEST_KEYRING, RELEASE
from firmware.upgrade.context import GateContext, Mode, at_least
from firmware.upgrade.gate_child import Request
from firmware.upgrade.ports import Approved, Image
from firmware.upgrade.refusals import Refusal, Why

_START = start_of("firmware.upgrade.gate_child")
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
    try:
        return ask(_START, bundle, request, patience_s=patience_s, ending_s=PATIENCE_S, longest_answer=LONGEST_ANSWER)
    except ChildFailed as failed:
        detail = "too long" if failed.fault is Fault.TOO_LONG else failed.detail
        raise Refusal(_FAULTS[failed.fault], detail) from None


_FAULTS = {
    Fault.MISSING: Why.CHILD_MISSING,
    Fault.TIME: Why.CHILD_TIME,
    Fault.CRASHED: Why.CHILD_CRASHED,
    Fault.TOO_LONG: Why.CHILD_ANSWER,
}


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
