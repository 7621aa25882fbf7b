"""A workshop that really builds bundles, good and hostile: mksquashfs, rauc and openssl do the work."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from firmware.upgrade import bundle_build, pki
from firmware.upgrade.bundle_build import Facts, Signer
from firmware.upgrade.gate import GateContext, Mode
from firmware.upgrade.layout import BLOCK

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
PACKING = ("-noI", "-noD", "-noF", "-noX", "-all-root", "-noappend", "-no-progress", "-no-xattrs")
MODEL, SERIAL, CHIP = "LINTEL-DS1", "02AABBCCDDEE", "0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Workshop:
    """A vendor with keys in a folder, and ways to make a bundle."""

    root: Path
    vendor: pki.Vendor

    @property
    def keys(self) -> Path:
        """What `lintel bundle keys` would have made."""
        return self.root / "keys"

    def context(self, **changed: object) -> GateContext:
        """A door station of revision 1 that runs 0.1.0, as the gate is told of it."""
        usual = GateContext(
            model=MODEL,
            hardware_revision=1,
            running="0.1.0",
            floor=0,
            serial=SERIAL,
            chip_id=CHIP,
            now=NOW,
            clock_trusted=True,
            mode=Mode.STANDARD,
            slot_size=16 * 1024 * 1024,
            keyring=self.keys / "keyring",
        )
        return replace(usual, **changed)  # type: ignore[arg-type]

    def tree(self, folder: Path) -> Path:
        """A small program tree; with its bytes that do not pack, a bundle's hash tree has two levels."""
        for part in bundle_build.NEEDED:
            (folder / part).mkdir(parents=True)
            (folder / part / "__init__.py").write_text(f'"""The part {part}."""\n' * 20)
        (folder / "firmware" / "__init__.py").write_text('VERSION = "0.2.0"\n')
        (folder / "firmware" / "sound.raw").write_bytes(random.Random(1).randbytes(600_000))
        return folder

    def signer(self, holder: pki.Holder, folder: Path, between: pki.Holder | None = None) -> Signer:
        """Files of somebody who signs."""
        certificate, key, authority = folder / "signer.pem", folder / "signer.key", folder / "between.pem"
        certificate.write_bytes(holder.certificate_pem())
        key.write_bytes(holder.key_pem())
        if between is not None:
            authority.write_bytes(between.certificate_pem())
        return Signer(certificate=certificate, key=key, intermediate=None if between is None else authority)

    def release_signer(self) -> Signer:
        """Whoever signs releases."""
        return Signer.of(self.keys, "release")

    def image(self, out: Path, tree: Path | None = None, *options: str) -> Path:
        """A slot image of a tree, packed by mksquashfs with these options more."""
        bundle_build.pack(tree or self.root / "tree", out, *options)
        return out

    def bundle(self, out: Path, signer: Signer | None = None, **facts: object) -> Path:
        """A bundle of the small tree as `lintel bundle build` makes it."""
        told = Facts(**({"models": (MODEL,)} | facts))  # type: ignore[arg-type]
        bundle_build.build(self.root / "tree", out, told, signer or self.release_signer())
        return out

    def forged(
        self,
        out: Path,
        *,
        manifest: Callable[[str], str] = str,
        image: Path | None = None,
        change_payload: Callable[[Path], object] = lambda content: None,
    ) -> Path:
        """A bundle that rauc would not make: any manifest and any payload, with a release signature that is good.

        `manifest` changes the text that would be right, `change_payload` the folder that is packed.
        """
        content = out.parent / f"{out.stem}.content"
        content.mkdir()
        shutil.copyfile(image or self.plain_image, content / bundle_build.IMAGE)
        raw = (content / bundle_build.IMAGE).read_bytes()
        (content / "manifest.raucm").write_text("[update]\n")
        change_payload(content)
        packed = out.parent / f"{out.stem}.payload"
        subprocess.run(["mksquashfs", content, packed, *PACKING], check=True, capture_output=True)
        shutil.rmtree(content)
        payload = packed.read_bytes()
        packed.unlink()
        salt = hashlib.sha256(payload).digest()
        tree, root = hash_tree(payload, salt)
        text = (
            f"[update]\ncompatible={MODEL.lower()}\nversion=0.2.0\n"
            f"description=lintel 1; models:{MODEL} revisions:any counter:3 modes:any\n\n"
            f"[bundle]\nformat=verity\nverity-hash={root.hex()}\nverity-salt={salt.hex()}\n"
            f"verity-size={len(tree)}\n\n"
            f"[image.rootfs]\nsha256={hashlib.sha256(raw).hexdigest()}\nsize={len(raw)}\n"
            f"filename={bundle_build.IMAGE}\n"
        )
        signature = self.openssl_signed(manifest(text).encode(), self.release_signer())
        out.write_bytes(payload + tree + signature + len(signature).to_bytes(8))
        return out

    @property
    def plain_image(self) -> Path:
        """The slot image of the small tree, packed once."""
        image = self.root / "plain.img"
        return image if image.exists() else self.image(image)

    def openssl_signed(self, manifest: bytes, signer: Signer, *options: str) -> bytes:
        """A CMS signature with the manifest inside."""
        words = ["-binary", "-nodetach", "-outform", "DER", "-md", "sha256", *options]
        between = [] if signer.intermediate is None else ["-certfile", str(signer.intermediate)]
        command = ["openssl", "cms", "-sign", "-signer", str(signer.certificate), "-inkey", str(signer.key)]
        return subprocess.run([*command, *words, *between], input=manifest, capture_output=True, check=True).stdout


def hash_tree(payload: bytes, salt: bytes) -> tuple[bytes, bytes]:
    """The dm-verity tree of a payload, top level first, and its root."""
    level, levels = payload, []
    while len(level) > BLOCK or not levels:
        blocks = (level[at : at + BLOCK] for at in range(0, len(level), BLOCK))
        level = b"".join(hashlib.sha256(salt + block).digest() for block in blocks)
        level += bytes(-len(level) % BLOCK)
        levels.append(level)
    return b"".join(reversed(levels)), hashlib.sha256(salt + level).digest()


def with_bytes(path: Path, change: Callable[[bytearray], None]) -> Path:
    """A file with its bytes changed in place."""
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)
    return path


def sparse_file(path: Path, size: int) -> None:
    """A file of zeros that takes no room."""
    with path.open("wb") as file:
        os.truncate(file.fileno(), size)
