"""The child that looks at a bundle: it locks itself in, checks, and prints one JSON line, an approval or a refusal.

`examine` is the whole check; it runs in this process only, and in tests.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import cryptography.hazmat.backends.openssl.backend  # noqa: F401  some keys load it late: nothing loads once locked in
from cryptography import x509

from firmware.core.confined.lock import lock_in
from firmware.upgrade import certificates, cms, layout, manifest, payload, policy, second_judge, verity
from firmware.upgrade.certificates import DEVICE, Device, Keyring, Trust
from firmware.upgrade.context import LARGEST_BUNDLE, GateContext, Mode
from firmware.upgrade.manifest import Manifest
from firmware.upgrade.refusals import Refusal, Why

LONGEST_REQUEST = 2 * 1024 * 1024
MEMORY = 40 * 1024 * 1024
# A second of processor time, and one for each 8 MiB: ten times what a slow board needs.
BYTES_A_CPU_SECOND = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the child is asked: the device, and the bytes of the files that it trusts."""

    context: GateContext
    release: bytes
    custom: bytes | None
    certificate: bytes | None

    def encode(self) -> bytes:
        """As one JSON value."""
        context = self.context
        values = {name: getattr(context, name) for name in _PLAIN}
        values |= {"now": context.now.isoformat(), "images": list(context.images)}
        values["files"] = [None if one is None else one.hex() for one in (self.release, self.custom, self.certificate)]
        return json.dumps(values).encode()

    @classmethod
    def decode(cls, raw: bytes) -> Request:
        """Read it back. Raises ValueError, KeyError, TypeError."""
        values = json.loads(raw)
        release, custom, certificate = (None if one is None else bytes.fromhex(one) for one in values["files"])
        plain: dict[str, Any] = {name: values[name] for name in _PLAIN} | {"mode": Mode(values["mode"])}
        now, images = datetime.fromisoformat(values["now"]), tuple(values["images"])
        context = GateContext(**plain, now=now, images=images, keyring=Path("."))
        return cls(context=context, release=release or b"", custom=custom, certificate=certificate)


_PLAIN = ("model", "hardware_revision", "running", "floor", "serial", "chip_id", "clock_trusted", "mode", "slot_size")


@dataclass(frozen=True, slots=True)
class Found:
    """A bundle that may be installed: its manifest and the role of its signer."""

    manifest: Manifest
    signer: str


def examine(file: int, request: Request) -> Found:
    """Check an open bundle from the first to the last byte. Raises Refusal; nothing else, for any file."""
    try:
        return _examine(file, request)
    except MemoryError:
        raise Refusal(Why.CHILD_MEMORY) from None
    except Refusal:
        raise
    except Exception as error:  # noqa: BLE001  whatever a file does to this code, it is not let in
        raise Refusal(Why.CHILD_CRASHED, type(error).__name__) from None


def _examine(file: int, request: Request) -> Found:
    context = request.context
    about = os.fstat(file)
    if not stat.S_ISREG(about.st_mode):
        raise Refusal(Why.UNREADABLE, "not a plain file")
    largest = min(LARGEST_BUNDLE, 2 * context.slot_size * len(context.images) + layout.LARGEST_SIGNATURE)
    if about.st_size > largest:
        raise Refusal(Why.TOO_LARGE, f"{about.st_size} bytes; the most are {largest}")
    found = layout.find(file, about.st_size)
    signed = cms.read(found.signature)
    keyring = _keyring(request)
    device = Device(
        serial=context.serial, chip_id=context.chip_id, now=context.now, clock_trusted=context.clock_trusted
    )
    signer, trust = certificates.judge(signed.signer, signed.others, keyring, device)
    if second_judge.content_of(found.signature, trust.pem, context.now) != signed.manifest:
        raise Refusal(Why.SECOND_JUDGE, "it sees another manifest")
    authentic = manifest.parse(signed.manifest)
    policy.check(authentic, context)
    size = verity.check(file, found.signature_at, authentic.verity)
    payload.check(file, size, authentic, context.slot_size)
    return Found(authentic, signer)


def _keyring(request: Request) -> Keyring:
    release = certificates.read_trust(request.release)
    custom: Trust | None = None
    installed: x509.Certificate | None = None
    if request.custom is not None:
        custom = certificates.read_trust(request.custom)
        if request.certificate is not None:
            installed = cms.certificate(request.certificate)
    return Keyring(release=release, custom=custom, installed=installed)


def answer(found: Found) -> dict[str, object]:
    """An approval as JSON values; test firmware never raises the floor (its count is 0)."""
    one = found.manifest
    return {
        "version": one.version.text,
        "manifest_sha256": one.sha256,
        "signer": found.signer,
        "counter": 0 if found.signer == DEVICE else one.counter,
        "images": [[image.name, image.filename, image.size, image.sha256] for image in one.images],
    }


def main() -> None:
    """Read a request from standard input, lock in, examine the descriptor named by the last word, print the answer."""
    bundle = int(sys.argv[-1])
    request = Request.decode(sys.stdin.buffer.read(LONGEST_REQUEST))
    lock_in(cpu_s=2 + os.fstat(bundle).st_size // BYTES_A_CPU_SECOND, memory=MEMORY)
    try:
        said: dict[str, object] = {"approved": answer(examine(bundle, request))}
    except Refusal as refusal:
        said = {"refused": [refusal.why.value, refusal.detail]}
    print(json.dumps(said), flush=True)
