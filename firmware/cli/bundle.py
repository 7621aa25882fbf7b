"""`lintel bundle`: makes keys, builds, signs and inspects firmware bundles; JSON on standard output."""

from __future__ import annotations

import json
import re
from pathlib import Path

from firmware.cli.parser import Parser
from firmware.core.errors import Invalid
from firmware.paths import CHECKOUT
from firmware.upgrade import bundle_build, pki
from firmware.upgrade.bundle_build import Facts, Signer
from firmware.upgrade.bundle_inspect import inspect
from firmware.upgrade.context import Mode
from firmware.upgrade.manifest import track, version
from hal.clock import SystemClock
from hal.errors import nearest

HELP = """\
lintel bundle build   [--tree DIR] [--keys DIR] [--signer NAME] [--cert F --key F [--intermediate F]]
                      [--version V] [--model M]... [--revision N]... [--security-counter N] [--lts V]...
                      [--mode standard|factory_default|automatic_rollback]... OUT
lintel bundle sign    [--keyring DIR] [--keys DIR] [--signer NAME] [--cert F --key F [--intermediate F]] BUNDLE OUT
lintel bundle inspect [--keyring DIR] BUNDLE
lintel bundle keys    [--device SERIAL:CHIP] DIR

  build    a signed bundle of a checkout (this one unless --tree): signed with the keys of --keys, ./keys by default
  sign     the same bundle signed by somebody else; --keyring (KEYS/keyring) has to trust both
  inspect  manifest and signer of a bundle; with --keyring also whether a device with these keys would trust it
  keys     a new vendor: roots, release authority, release certificate, and DIR/keyring for devices;
           with --device the certificate of one device, in a DIR that exists
"""
_DEVICE = re.compile(r"([0-9A-F]{12}):([0-9A-Za-z-]{1,64})")
_MODEL = re.compile(r"[A-Z0-9][A-Z0-9-]{0,31}")
DEFAULT_MODEL = "LINTEL-DS1"


def command(words: list[str]) -> int:
    """Run one verb. Raises Invalid, Refusal, Unavailable."""
    if any(word in ("-h", "--help") for word in words):
        print(HELP, end="")
        return 0
    verbs = {"build": _build, "sign": _sign, "inspect": _inspect, "keys": _keys}
    if not words:
        raise Invalid("lintel bundle", "a verb is missing; 'lintel bundle --help' lists them")
    if words[0] not in verbs:
        raise Invalid("lintel bundle", f"unknown verb {words[0]!r}{nearest(words[0], verbs)}")
    print(json.dumps(verbs[words[0]](words[1:]), indent=2, ensure_ascii=False))
    return 0


def _signer_options(parser: Parser) -> None:
    parser.add_argument("--keys", type=Path, default=Path("keys"), help="a folder made by 'lintel bundle keys'")
    parser.add_argument("--signer", default="release", help="whose certificate and key of that folder")
    parser.add_argument("--cert", type=Path)
    parser.add_argument("--key", type=Path)
    parser.add_argument("--intermediate", type=Path)


def _signer(parser: Parser, cert: Path | None, key: Path | None, between: Path | None, keys: Path, name: str) -> Signer:
    if (cert is None) != (key is None):
        parser.error("--cert and --key belong together")
    if cert is not None and key is not None:
        return Signer(certificate=cert, key=key, intermediate=between)
    if between is not None:
        parser.error("--intermediate goes with --cert and --key")
    return Signer.of(keys, name)


def _build(words: list[str]) -> dict[str, object]:
    parser = Parser(prog="lintel bundle build")
    _signer_options(parser)
    parser.add_argument("--tree", type=Path, default=CHECKOUT)
    parser.add_argument("--version")
    parser.add_argument("--model", action="append")
    parser.add_argument("--revision", action="append", default=[])
    parser.add_argument("--security-counter", default="0")
    parser.add_argument("--lts", action="append", default=[])
    parser.add_argument("--mode", action="append", choices=[mode.value for mode in Mode], default=[])
    parser.add_argument("out", type=Path)
    found = parser.parse_all(words)
    models = tuple(found.model or [DEFAULT_MODEL])
    for model in models:
        if _MODEL.fullmatch(model) is None:
            raise Invalid("lintel bundle build --model", f"{model!r} is not the name of a model, such as LINTEL-DS1")
    facts = Facts(
        models=models,
        version=None if found.version is None else version(found.version).text,
        revisions=tuple(_number(word, "--revision") for word in found.revision),
        counter=_number(found.security_counter, "--security-counter"),
        lts=tuple(track(word).text for word in found.lts),
        modes=tuple(Mode(word) for word in found.mode),
    )
    signer = _signer(parser, found.cert, found.key, found.intermediate, found.keys, found.signer)
    built = bundle_build.build(found.tree, found.out, facts, signer)
    return {"bundle": str(found.out), "version": built, "bytes": found.out.stat().st_size}


def _number(word: str, option: str) -> int:
    if not (word.isascii() and word.isdecimal()) or len(word) > 9:
        raise Invalid(f"lintel bundle build {option}", f"{word[:40]!r} is not a whole number of up to 9 digits")
    return int(word)


def _sign(words: list[str]) -> dict[str, object]:
    parser = Parser(prog="lintel bundle sign")
    _signer_options(parser)
    parser.add_argument("--keyring", type=Path)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("out", type=Path)
    found = parser.parse_all(words)
    signer = _signer(parser, found.cert, found.key, found.intermediate, found.keys, found.signer)
    bundle_build.resign(found.bundle, found.out, found.keyring or found.keys / "keyring", signer)
    return {"bundle": str(found.out), "bytes": found.out.stat().st_size}


def _inspect(words: list[str]) -> dict[str, object]:
    parser = Parser(prog="lintel bundle inspect")
    parser.add_argument("--keyring", type=Path)
    parser.add_argument("bundle", type=Path)
    found = parser.parse_all(words)
    return inspect(found.bundle, found.keyring, SystemClock().utc())


def _keys(words: list[str]) -> dict[str, object]:
    parser = Parser(prog="lintel bundle keys")
    parser.add_argument("--device")
    parser.add_argument("folder", type=Path)
    found = parser.parse_all(words)
    start = SystemClock().utc().replace(microsecond=0)
    if found.device is None:
        pki.Vendor.new(start).save(found.folder)
        return {"keys": str(found.folder), "keyring": str(found.folder / "keyring")}
    named = _DEVICE.fullmatch(found.device)
    if named is None:
        raise Invalid(
            "lintel bundle keys --device", f"{found.device!r} is not SERIAL:CHIP; GET /api/v1/device says both"
        )
    name = pki.save_device(found.folder, named[1], named[2], start)
    return {"signer": name, "certificate": str(found.folder / f"{name}.pem")}
