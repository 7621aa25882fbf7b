"""The manifest of a bundle, read strictly: known sections and keys only, each once.

RAUC 1.8 signs the sections `update`, `bundle` and `image.*` and drops every other; what this firmware needs
beyond them stands in the value of `description`, as `lintel 1` and then `name:value` words.
Reference: RAUC, Bundle manifest.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field

from firmware.upgrade.context import Mode
from firmware.upgrade.ports import Image
from firmware.upgrade.refusals import Refusal, Why, shown
from hal.errors import nearest

LONGEST = 64 * 1024
FACTS_MARK = "lintel 1"
_SECTION = re.compile(r"\[([a-z][a-z0-9._-]{0,63})\]")
_KEY = re.compile(r"([a-z][a-z0-9-]{0,63})=([ -~]*)")
_VERSION = re.compile(r"(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})(?:\.(0|[1-9][0-9]{0,5})){0,2}")
_FILENAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}(\.[A-Za-z0-9_-]{1,32}){0,3}")
_HEX64 = re.compile(r"[0-9a-f]{64}")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,14}")
_MODEL = re.compile(r"[A-Z0-9][A-Z0-9-]{0,31}")

_KEYS = {
    "update": {"compatible": True, "version": True, "description": True, "build": False},
    "bundle": {"format": True, "verity-hash": False, "verity-salt": False, "verity-size": False, "crypt-key": False},
    "image": {"filename": True, "size": True, "sha256": True},
}
_FACTS = {"models", "revisions", "counter", "lts", "modes"}


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """Two to four numbers; missing ones are 0. The first two are the track."""

    numbers: tuple[int, int, int, int]
    text: str = field(compare=False)

    @property
    def track(self) -> tuple[int, int]:
        """Major and minor."""
        return self.numbers[:2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verity:
    """Where the hash tree of the payload starts and what it must come to; `size` in bytes."""

    root: bytes
    salt: bytes
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a signer says about a bundle. `revisions` None means any hardware revision."""

    compatible: str
    version: Version
    build: str
    models: tuple[str, ...]
    revisions: tuple[int, ...] | None
    counter: int
    lts: tuple[Version, ...]
    modes: tuple[Mode, ...]
    verity: Verity
    images: tuple[Image, ...]
    sha256: str


def version(text: str) -> Version:
    """Read MAJOR.MINOR[.PATCH[.BUILD]], numbers of up to six digits without leading zeros. Raises Refusal."""
    if len(text) > 32 or _VERSION.fullmatch(text) is None:
        raise Refusal(Why.VERSION_FORM, shown(text))
    first, second, *rest = (int(part) for part in text.split("."))
    third, fourth = [*rest, 0, 0][:2]
    return Version((first, second, third, fourth), text)


def track(text: str) -> Version:
    """Read an LTS track, which is MAJOR.MINOR alone. Raises Refusal."""
    found = version(text)
    if text.count(".") != 1:
        raise Refusal(Why.VERSION_FORM, f"the LTS track {shown(text)} is not MAJOR.MINOR")
    return found


def parse(raw: bytes) -> Manifest:
    """Read the authenticated bytes of a manifest. Raises Refusal."""
    sections = _sections(raw)
    _check_known(sections)
    update, bundle = sections["update"], sections["bundle"]
    facts = _facts(update["description"])
    return Manifest(
        compatible=update["compatible"],
        version=version(update["version"]),
        build=update.get("build", ""),
        models=_models(facts),
        revisions=_revisions(facts.get("revisions", "any")),
        counter=_number(facts.get("counter", ""), "counter"),
        lts=tuple(track(word) for word in facts["lts"].split(",")) if "lts" in facts else (),
        modes=_modes(facts.get("modes", "any")),
        verity=_verity(bundle),
        images=tuple(
            _image(name.removeprefix("image."), keys) for name, keys in sections.items() if name.startswith("image.")
        ),
        sha256=hashlib.sha256(raw).hexdigest(),
    )


def _sections(raw: bytes) -> dict[str, dict[str, str]]:
    if len(raw) > LONGEST:
        raise Refusal(Why.MANIFEST_FORM, f"{len(raw)} bytes; the longest is {LONGEST}")
    try:
        lines = raw.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise Refusal(Why.MANIFEST_FORM, f"byte {error.start} is not ASCII") from None
    sections: dict[str, dict[str, str]] = {}
    current: dict[str, str] | None = None
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        if (header := _SECTION.fullmatch(line)) is not None:
            if header[1] in sections:
                raise Refusal(Why.DUPLICATE, f"line {number}: [{header[1]}]")
            current = sections[header[1]] = {}
        elif (pair := _KEY.fullmatch(line)) is not None and current is not None:
            if pair[1] in current:
                raise Refusal(Why.DUPLICATE, f"line {number}: {pair[1]}")
            current[pair[1]] = pair[2]
        else:
            raise Refusal(Why.MANIFEST_FORM, f"line {number}: {shown(line)}")
    return sections


def _check_known(sections: dict[str, dict[str, str]]) -> None:
    for name, keys in sections.items():
        kind = "image" if name.startswith("image.") and name.count(".") == 1 else name
        if kind in ("hooks", "handler") or "hooks" in keys:
            raise Refusal(Why.HOOKS, f"[{name}]")
        if kind not in _KEYS or name == "image":
            raise Refusal(Why.UNKNOWN, f"section [{name}]{nearest(name, ['update', 'bundle', 'image.rootfs'])}")
        for key in keys:
            if key not in _KEYS[kind]:
                raise Refusal(Why.UNKNOWN, f"[{name}] {key}{nearest(key, _KEYS[kind])}")
        for key, needed in _KEYS[kind].items():
            if needed and key not in keys:
                raise Refusal(Why.MANIFEST_FORM, f"[{name}] has no {key}")
    for name in ("update", "bundle"):
        if name not in sections:
            raise Refusal(Why.MANIFEST_FORM, f"no section [{name}]")


def _facts(description: str) -> dict[str, str]:
    mark, _, rest = description.partition("; ")
    if mark != FACTS_MARK:
        raise Refusal(Why.MANIFEST_FORM, f"description: {shown(description)} does not begin with '{FACTS_MARK}; '")
    facts: dict[str, str] = {}
    for word in rest.split(" "):
        name, colon, value = word.partition(":")
        if not colon or not value:
            raise Refusal(Why.MANIFEST_FORM, f"description: {shown(word)} is not name:value")
        if name in facts:
            raise Refusal(Why.DUPLICATE, f"description: {shown(name)}")
        if name not in _FACTS:
            raise Refusal(Why.UNKNOWN, f"description: {shown(name)}{nearest(name, _FACTS)}")
        facts[name] = value
    return facts


def _models(facts: dict[str, str]) -> tuple[str, ...]:
    models = tuple(facts.get("models", "").split(","))
    for name in models:
        if _MODEL.fullmatch(name) is None:
            raise Refusal(Why.MANIFEST_FORM, f"models: {shown(name)} is not the name of a model")
    return models


def _revisions(text: str) -> tuple[int, ...] | None:
    return None if text == "any" else tuple(_number(word, "revisions") for word in text.split(","))


def _modes(text: str) -> tuple[Mode, ...]:
    if text == "any":
        return tuple(Mode)
    names = [mode.value for mode in Mode]
    for word in text.split(","):
        if word not in names:
            raise Refusal(Why.MANIFEST_FORM, f"modes: {shown(word)}{nearest(word, names)}")
    return tuple(Mode(word) for word in text.split(","))


def _number(text: str, where: str) -> int:
    if _NUMBER.fullmatch(text) is None:
        raise Refusal(Why.MANIFEST_FORM, f"{where}: {shown(text)} is not a whole number")
    return int(text)


def _verity(bundle: dict[str, str]) -> Verity:
    if bundle["format"] == "plain":
        raise Refusal(Why.PLAIN_FORMAT)
    if bundle["format"] == "crypt":
        raise Refusal(Why.CRYPT_FORMAT)
    if bundle["format"] != "verity" or "crypt-key" in bundle:
        raise Refusal(Why.MANIFEST_FORM, f"format: {shown(bundle['format'])}")
    for key in ("verity-hash", "verity-salt"):
        if _HEX64.fullmatch(bundle.get(key, "")) is None:
            raise Refusal(Why.MANIFEST_FORM, f"{key}: {shown(bundle.get(key, ''))} is not 64 hex digits")
    return Verity(
        root=bytes.fromhex(bundle["verity-hash"]),
        salt=bytes.fromhex(bundle["verity-salt"]),
        size=_number(bundle.get("verity-size", ""), "verity-size"),
    )


def _image(name: str, keys: dict[str, str]) -> Image:
    if _FILENAME.fullmatch(keys["filename"]) is None or keys["filename"] == "manifest.raucm":
        raise Refusal(Why.FILENAME, f"[image.{name}] {shown(keys['filename'])}")
    if _HEX64.fullmatch(keys["sha256"]) is None:
        raise Refusal(Why.MANIFEST_FORM, f"[image.{name}] sha256: {shown(keys['sha256'])} is not 64 hex digits")
    return Image(
        name=name, filename=keys["filename"], size=_number(keys["size"], f"[image.{name}] size"), sha256=keys["sha256"]
    )
