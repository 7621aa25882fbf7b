"""Makes bundles: a program tree becomes a slot image, the image with its manifest a signed RAUC bundle.

An image depends on the tree alone: owners, times, order and packing are fixed. Nothing is left behind, and nothing
that exists is replaced, when a step fails. Needs `mksquashfs` and `rauc`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from firmware.core.errors import Invalid, Unavailable
from firmware.upgrade.context import KEYRING, Mode
from firmware.upgrade.manifest import FACTS_MARK, version
from firmware.upgrade.payload import PROGRAM
from firmware.upgrade.policy import FAMILY, compatible_with
from hal.clock import BUILT

# What a slot takes of a checkout; the first three have to be there.
PARTS = ("hal", "firmware", "boards", "systemd", "udev", "LICENSE", "pyproject.toml", KEYRING)
NEEDED = PARTS[:3]
IMAGE = "rootfs.img"
_VERSION_LINE = re.compile(r'^VERSION = "([^"\n]*)"$', re.MULTILINE)
_TIME = str(int(BUILT.timestamp()))
_FIXED = ("-all-root", "-no-xattrs", "-noappend", "-no-progress", "-mkfs-time", _TIME, "-all-time", _TIME)
# Images are packed already: the bundle around them is not packed again, so that a device reads them as they lie.
_UNPACKED = "-noI -noD -noF -noX -b 131072"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Files of whoever signs: certificate, private key, and the authority between it and the root, if any."""

    certificate: Path
    key: Path
    intermediate: Path | None

    @classmethod
    def of(cls, folder: Path, name: str) -> Signer:
        """The signer `name` of a folder that `lintel bundle keys` made."""
        between = folder / "authority.pem" if name == "release" else None
        return cls(certificate=folder / f"{name}.pem", key=folder / f"{name}.key", intermediate=between)

    def words(self) -> list[str]:
        """The options for rauc. Raises Invalid when a file is not there."""
        for path in (self.certificate, self.key, self.intermediate):
            if path is not None and not path.is_file():
                raise Invalid(str(path), "there is no such file; 'lintel bundle keys DIR' makes keys")
        between = [] if self.intermediate is None else [f"--intermediate={self.intermediate}"]
        return [f"--cert={self.certificate}", f"--key={self.key}", *between]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the manifest is to say. `revisions` and `modes` empty mean any; `version` None the tree's own."""

    models: tuple[str, ...]
    version: str | None = None
    revisions: tuple[int, ...] = ()
    counter: int = 0
    lts: tuple[str, ...] = ()
    modes: tuple[Mode, ...] = ()

    def description(self) -> str:
        """The part that RAUC has no keys for (`firmware.upgrade.manifest` reads it)."""
        words = [
            f"models:{','.join(self.models)}",
            f"revisions:{','.join(map(str, self.revisions)) or 'any'}",
            f"counter:{self.counter}",
            f"modes:{','.join(self.modes) or 'any'}",
        ]
        return f"{FACTS_MARK}; {' '.join(words)}" + (f" lts:{','.join(self.lts)}" if self.lts else "")


def build(tree: Path, out: Path, facts: Facts, signer: Signer) -> str:
    """Make a bundle of a checkout; returns the version it has. Raises Invalid, Refusal, Unavailable."""
    if out.exists():
        raise Invalid(str(out), "exists already")
    words = signer.words()
    with tempfile.TemporaryDirectory(prefix="lintel-bundle-") as scratch:
        content, program = Path(scratch) / "content", Path(scratch) / "program"
        content.mkdir()
        found = stage(tree, program, facts.version)
        pack(program, content / IMAGE)
        (content / "manifest.raucm").write_text(manifest_text(found, facts))
        _put_in_place(out, lambda waiting: bundle(content, waiting, words))
    return found


def stage(tree: Path, program: Path, override: str | None) -> str:
    """Copy the program tree without caches, with another version where wanted. Raises Invalid, Refusal."""
    for part in NEEDED:
        if not (tree / part).is_dir():
            raise Invalid(str(tree), f"is no checkout: it has no folder {part!r}")
    program.mkdir()
    for part in PARTS:
        _copy(tree / part, program / part)
    about = program / "firmware" / "__init__.py"
    try:
        text = about.read_text()
    except (OSError, UnicodeDecodeError):
        text = ""
    line = _VERSION_LINE.search(text)
    if line is None:
        raise Invalid(str(tree / "firmware" / "__init__.py"), "has no line VERSION = ...")
    found = version(override or line[1]).text
    about.write_text(text[: line.start(1)] + found + text[line.end(1) :])
    return found


def _copy(source: Path, target: Path) -> None:
    """Plain files and folders, without caches and hidden names. Raises Invalid."""
    if source.is_symlink():
        raise Invalid(str(source), "is a link; a slot image holds plain files and folders only")
    if source.is_dir():
        target.mkdir(mode=0o755)
        for entry in sorted(source.iterdir()):
            if not entry.name.startswith(".") and entry.name != "__pycache__" and entry.suffix != ".pyc":
                _copy(entry, target / entry.name)
    elif source.is_file():
        shutil.copyfile(source, target)
        target.chmod(0o755 if os.access(source, os.X_OK) else 0o644)
    elif source.exists():
        raise Invalid(str(source), "is neither a plain file nor a folder")


def pack(program: Path, image: Path, *options: str) -> None:
    """Make the slot image of a staged tree: the same bytes for the same tree. Raises Unavailable."""
    run(["mksquashfs", str(program), str(image), "-comp", "gzip", "-b", "131072", *_FIXED, *options])


def manifest_text(found: str, facts: Facts) -> str:
    """The manifest as RAUC wants to be given it."""
    return (
        f"[update]\ncompatible={compatible_with(facts.models)}\nversion={found}\n"
        f"description={facts.description()}\n\n[bundle]\nformat=verity\n\n[image.{PROGRAM}]\nfilename={IMAGE}\n"
    )


def bundle(content: Path, out: Path, words: list[str]) -> None:
    """Sign a content folder. Raises Unavailable."""
    run(["rauc", "bundle", *words, f"--mksquashfs-args={_UNPACKED}", str(content), str(out)])


def resign(source: Path, out: Path, keyring: Path, signer: Signer) -> None:
    """Give a bundle another signature; the keyring (a folder) has to trust both. Raises Invalid, Unavailable."""
    if not source.is_file():
        raise Invalid(str(source), "there is no such file")
    if out.exists():
        raise Invalid(str(out), "exists already")
    trusted = [path.read_bytes() for path in (keyring / "release.pem", keyring / "custom.pem") if path.is_file()]
    if not trusted:
        raise Invalid(str(keyring), "has no release.pem and no custom.pem")
    with tempfile.TemporaryDirectory(prefix="lintel-bundle-") as scratch:
        ring, config = Path(scratch) / "ring.pem", Path(scratch) / "system.conf"
        ring.write_bytes(b"".join(trusted))
        # RAUC takes a certificate for signing code only where its configuration says so.
        rules = "check-purpose=codesign\ncheck-crl=true\n"
        config.write_text(f"[system]\ncompatible={FAMILY}\nbootloader=noop\n\n[keyring]\n{rules}")
        asked = [f"--keyring={ring}", f"--signing-keyring={ring}", *signer.words(), str(source.absolute())]
        _put_in_place(out, lambda waiting: run(["rauc", f"--conf={config}", "resign", *asked, str(waiting)]))


def _put_in_place(out: Path, make: Callable[[Path], None]) -> None:
    """Let `make` write a file beside `out`, and give it its name when it is complete."""
    try:
        scratch = Path(tempfile.mkdtemp(prefix=".lintel-bundle-", dir=out.absolute().parent))
    except OSError as error:
        raise Invalid(str(out), f"cannot be written: {error.strerror}") from None
    try:
        make(scratch / "bundle.raucb")
        os.link(scratch / "bundle.raucb", out)  # unlike a rename it replaces nothing
    except OSError as error:
        raise Invalid(str(out), f"cannot be written: {error.strerror}") from None
    finally:
        shutil.rmtree(scratch)


def run(command: list[str]) -> None:
    """Run a tool. Raises Unavailable with the last line of its complaint."""
    try:
        ended = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    except FileNotFoundError:
        raise Unavailable(command[0], "is not installed; 'sh tools/system-packages.sh' does it") from None
    if ended.returncode != 0:
        lines = (ended.stderr.strip() or ended.stdout.strip() or f"ended with {ended.returncode}").splitlines()
        raise Unavailable(command[0], lines[-1][:300])
