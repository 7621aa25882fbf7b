"""Row 28: manifests that a release key signed and this device still does not take."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.upgrade import bundle_build, manifest
from firmware.upgrade.gate import Mode, Refusal, approve
from tests.unit.upgrade.bundles import Workshop
from tests.unit.upgrade.conftest import Refused

Change = Callable[[str], str]


def with_line(section: str, line: str) -> Change:
    """One more line at the start of a section."""
    return lambda text: text.replace(f"[{section}]\n", f"[{section}]\n{line}\n")


def instead(pattern: str, by: str) -> Change:
    """Something else in the place of what matches."""
    return lambda text: re.sub(pattern, by, text, count=1)


def another_digit(key: str) -> Change:
    """Another first digit of a number in hexadecimal, whichever it has."""
    return lambda text: re.sub(f"({key})(.)", lambda found: found[1] + ("1" if found[2] == "0" else "0"), text, count=1)


CHANGES: dict[str, tuple[Change, str]] = {
    "a section twice": (lambda text: text + "[update]\nversion=9.9\n", "manifest-duplicate"),
    "an image twice": (lambda text: text + text[text.index("[image.rootfs]") :], "manifest-duplicate"),
    "a key twice": (with_line("update", "version=0.2.0"), "manifest-duplicate"),
    "a fact twice": (instead("counter:3", "counter:3 counter:4"), "manifest-duplicate"),
    "hooks": (lambda text: text + "[hooks]\nfilename=hook.sh\n", "hooks"),
    "hooks of an image": (with_line("image.rootfs", "hooks=post-install"), "hooks"),
    "a handler": (lambda text: text + "[handler]\nfilename=install.sh\n", "hooks"),
    "an unknown section": (lambda text: text + "[casync]\nx=y\n", "manifest-unknown"),
    "another section": (lambda text: text + "[meta.lintel]\nx=y\n", "manifest-unknown"),
    "an unknown key": (with_line("update", "colour=red"), "manifest-unknown"),
    "an unknown key of an image": (with_line("image.rootfs", "adaptive=block-hash-index"), "manifest-unknown"),
    "an unknown fact": (instead("counter:3", "counter:3 colour:red"), "manifest-unknown"),
    "a comment": (with_line("update", "# hello"), "manifest-malformed"),
    "a line that is nothing": (with_line("update", "hello"), "manifest-malformed"),
    "a space before a key": (instead("version=", " version="), "manifest-malformed"),
    "letters beyond ASCII": (instead("models:LINTEL-DS1", "models:LINTÉL-DS1"), "manifest-malformed"),
    "a NUL": (instead("counter:3", "counter:3\0"), "manifest-malformed"),
    "no version": (instead("version=0.2.0\n", ""), "manifest-malformed"),
    "no digest": (instead("sha256=[0-9a-f]*\n", ""), "manifest-malformed"),
    "an odd digest": (instead("sha256=[0-9a-f]", "sha256="), "manifest-malformed"),
    "no size": (instead("\nsize=[0-9]*\n", "\n"), "manifest-malformed"),
    "a negative size": (instead("\nsize=", "\nsize=-"), "manifest-malformed"),
    "no description": (instead("description=.*\n", ""), "manifest-malformed"),
    "a description for people": (instead("description=.*\n", "description=Spring release\n"), "manifest-malformed"),
    "no counter": (instead(" counter:3", ""), "manifest-malformed"),
    "no salt": (instead("verity-salt=.*\n", ""), "manifest-malformed"),
    "another format": (instead("format=verity", "format=casync"), "manifest-malformed"),
    "a mode that is none": (instead("modes:any", "modes:always"), "manifest-malformed"),
    "the format plain": (instead("format=verity", "format=plain"), "plain-format"),
    "the format crypt": (instead("format=verity", "format=crypt\ncrypt-key=00"), "crypt-format"),
    "a name that climbs": (instead("filename=", "filename=../../"), "filename"),
    "an absolute name": (instead("filename=", "filename=/etc/"), "filename"),
    "a name in a folder": (instead("filename=", "filename=a/"), "filename"),
    "a hidden name": (instead("filename=", "filename=."), "filename"),
    "the name of the manifest": (instead("filename=.*", "filename=manifest.raucm"), "filename"),
    "a version in words": (instead("version=0.2.0", "version=latest"), "version-malformed"),
    "a version of one number": (instead("version=0.2.0", "version=7"), "version-malformed"),
    "a version with a zero in front": (instead("version=0.2.0", "version=0.02.0"), "version-malformed"),
    "an image larger than its slot": (instead("\nsize=", "\nsize=99999"), "image-too-large"),
    "an empty image": (instead("\nsize=[0-9]*", "\nsize=0"), "image-too-large"),
    "one image too many": (
        lambda text: text + text[text.index("[image.rootfs]") :].replace("rootfs", "boot"),
        "images",
    ),
    "another image": (instead(r"image\.rootfs", "image.kernel"), "images"),
    "no image": (lambda text: text[: text.index("[image.rootfs]")], "images"),
    "another model": (instead("models:LINTEL-DS1", "models:LINTEL-HS1"), "other-model"),
    "another model for RAUC alone": (instead("compatible=lintel-ds1", "compatible=lintel-hs1"), "other-model"),
    "another revision": (instead("revisions:any", "revisions:2,3"), "other-hardware"),
    "an older security count": (instead("counter:3", "counter:1"), "rollback-floor"),
    "an older version": (instead("version=0.2.0", "version=0.0.9"), "downgrade"),
    "an LTS on the way": (
        lambda text: instead("version=0.2.0", "version=12.6")(instead("modes:any", "modes:any lts:11.11,12.1")(text)),
        "lts-missing",
    ),
    "a mode that is not allowed": (instead("modes:any", "modes:factory_default"), "mode-not-allowed"),
    "another root hash": (another_digit("verity-hash="), "payload-damaged"),
    "another size of the tree": (instead("verity-size=", "verity-size=1"), "tree-damaged"),
    "another digest of an image": (another_digit("sha256="), "image-damaged"),
    "another size of an image": (instead("\nsize=[0-9]*", "\nsize=4095"), "image-size"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_row_28_a_signed_manifest_is_refused_with(
    name: str, tmp_path: Path, workshop: Workshop, refused: Refused
) -> None:
    change, code = CHANGES[name]
    bundle = workshop.forged(tmp_path / "bundle.raucb", manifest=change)
    assert refused(bundle, workshop.context(floor=2)) == code


def test_row_28_the_forger_makes_good_bundles_too(tmp_path: Path, workshop: Workshop) -> None:
    """Else the refusals above might have another reason."""
    assert approve(workshop.forged(tmp_path / "bundle.raucb"), workshop.context(floor=2)).version == "0.2.0"


@pytest.mark.parametrize(("form", "code"), [("plain", "plain-format"), ("crypt", "crypt-format")])
def test_row_28_rauc_bundles_of_other_formats_are_refused(
    form: str, code: str, tmp_path: Path, workshop: Workshop, refused: Refused
) -> None:
    content, out = tmp_path / "content", tmp_path / "bundle.raucb"
    content.mkdir()
    workshop.image(content / bundle_build.IMAGE)
    text = bundle_build.manifest_text("0.2.0", bundle_build.Facts(models=("LINTEL-DS1",)))
    (content / "manifest.raucm").write_text(text.replace("format=verity", f"format={form}"))
    subprocess.run(
        ["rauc", "bundle", *workshop.release_signer().words(), content, out], check=True, capture_output=True
    )
    assert refused(out, workshop.context()) == code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda text: text + "[hooks]\nfilename=hook.sh\nhooks=install-check\n", "hooks"),
        (lambda text: text + "[handler]\nfilename=hook.sh\n", "hooks"),
        (instead("filename=", "filename=../content/"), "filename"),
        (instead("version=0.2.0", "version=next"), "version-malformed"),
        (instead("description=.*\n", ""), "manifest-malformed"),
    ],
    ids=["hooks", "handler", "path", "version", "description"],
)
def test_row_28_what_rauc_itself_packs_and_signs_is_refused(
    change: Change, code: str, tmp_path: Path, workshop: Workshop, refused: Refused
) -> None:
    content, out = tmp_path / "content", tmp_path / "bundle.raucb"
    content.mkdir()
    workshop.image(content / bundle_build.IMAGE)
    (content / "hook.sh").write_text("#!/bin/sh\n")
    (content / "hook.sh").chmod(0o755)
    text = bundle_build.manifest_text("0.2.0", bundle_build.Facts(models=("LINTEL-DS1",)))
    (content / "manifest.raucm").write_text(change(text))
    bundle_build.bundle(content, out, workshop.release_signer().words())
    assert refused(out, workshop.context()) == code


def test_row_28_an_encrypted_bundle_is_refused(tmp_path: Path, workshop: Workshop, refused: Refused) -> None:
    content, plain, out = tmp_path / "content", tmp_path / "crypt.raucb", tmp_path / "bundle.raucb"
    content.mkdir()
    workshop.image(content / bundle_build.IMAGE)
    text = bundle_build.manifest_text("0.2.0", bundle_build.Facts(models=("LINTEL-DS1",)))
    (content / "manifest.raucm").write_text(text.replace("format=verity", "format=crypt"))
    signer = workshop.release_signer()
    ring = tmp_path / "ring.pem"
    ring.write_bytes(workshop.vendor.release_pem())
    config = tmp_path / "system.conf"
    config.write_text("[system]\ncompatible=x\nbootloader=noop\n[keyring]\ncheck-purpose=codesign\n")
    subprocess.run(["rauc", "bundle", *signer.words(), content, plain], check=True, capture_output=True)
    subprocess.run(
        ["rauc", f"--conf={config}", "encrypt", f"--to={signer.certificate}", f"--keyring={ring}", plain, out],
        check=True,
        capture_output=True,
    )
    assert refused(out, workshop.context()) == "crypt-format"


@pytest.mark.parametrize(
    ("running", "mode", "code"),
    [
        ("0.2.1", Mode.STANDARD, "downgrade"),
        ("0.2.0.1", Mode.AUTOMATIC_ROLLBACK, "downgrade"),
        ("0.2.0", Mode.STANDARD, None),
        ("0.2", Mode.AUTOMATIC_ROLLBACK, None),
        ("0.10.0", Mode.FACTORY_DEFAULT, None),
    ],
)
def test_row_28_an_older_version_needs_factory_default(
    running: str, mode: Mode, code: str | None, good: Path, workshop: Workshop, refused: Refused
) -> None:
    context = workshop.context(running=running, mode=mode)
    if code is None:
        assert approve(good, context).version == "0.2.0"
    else:
        assert refused(good, context) == code


def test_row_28_the_security_floor_holds_for_factory_default_too(
    good: Path, workshop: Workshop, refused: Refused
) -> None:
    assert refused(good, workshop.context(floor=4, mode=Mode.FACTORY_DEFAULT)) == "rollback-floor"


def test_the_missing_lts_is_named(tmp_path: Path, workshop: Workshop) -> None:
    change = CHANGES["an LTS on the way"][0]
    with pytest.raises(Refusal, match=r"install 11\.11 first; this device runs 0\.1\.0"):
        approve(workshop.forged(tmp_path / "bundle.raucb", manifest=change), workshop.context())


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes_are_a_manifest_or_refused(raw: bytes) -> None:
    with pytest.raises(Refusal):
        manifest.parse(raw)


RIGHT = (
    "[update]\ncompatible=lintel-ds1\nversion=0.2.0\ndescription=lintel 1; models:LINTEL-DS1 counter:3\n\n[bundle]\n"
    f"format=verity\nverity-hash={'0' * 64}\nverity-salt={'1' * 64}\nverity-size=4096\n\n"
    f"[image.rootfs]\nsha256={'2' * 64}\nsize=5\nfilename=rootfs.img\n"
).encode()


@given(st.data())
def test_a_changed_manifest_is_read_as_what_it_says_or_refused(data: st.DataObject) -> None:
    raw = bytearray(RIGHT)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    try:
        read = manifest.parse(bytes(raw))
    except Refusal:
        return
    text = raw.decode("ascii")
    assert f"\nversion={read.version.text}\n" in f"\n{text}\n"
    assert all(f"filename={image.filename}" in text and image.sha256 in text for image in read.images)
