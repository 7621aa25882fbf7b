"""The carrier service on a folder that looks like the kernel's class net, followed to the light of a camera."""

from __future__ import annotations

from pathlib import Path

from firmware.interfaces.carrier import linked


def interface(root: Path, name: str, kind: str, carrier: str | None) -> None:
    (root / name).mkdir()
    (root / name / "type").write_text(f"{kind}\n")
    if carrier is not None:
        (root / name / "carrier").write_text(f"{carrier}\n")


def test_a_cable_counts_and_loopback_does_not(tmp_path: Path) -> None:
    interface(tmp_path, "lo", "772", "1")
    assert linked(tmp_path) == ()
    interface(tmp_path, "eth0", "1", "1")
    assert linked(tmp_path) == ("eth0",)


def test_an_interface_without_link_or_that_is_down_does_not_count(tmp_path: Path) -> None:
    interface(tmp_path, "eth0", "1", "0")
    interface(tmp_path, "wlan0", "1", None)
    assert linked(tmp_path) == ()
