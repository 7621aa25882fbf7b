"""Builds the Debian package: units, rules and users in their places, the program in a virtual environment of its own.

    python -m tools.package.deb [--python /usr/bin/python3] OUT.deb

The environment is made of the hash-locked requirements/base.txt. It belongs to one release of Debian, whose interpreter
it is made for: build on the release, and on the architecture, that the package is for.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from firmware import VERSION
from hal.clock import BUILT
from tools.package.system_files import CHECKOUT, HOME, PLACES, SLOT, lay_out

SCRIPTS = Path(__file__).resolve().parent / "debian"
LAUNCHER = """\
#!/usr/lib/lintel/bin/python -I
import sys

from firmware.__main__ import main

sys.exit(main())
"""
# The board's own libraries (picamera2) come from the system's packages; what is locked here comes first.
ENVIRONMENT = "home = /usr/bin\ninclude-system-site-packages = true\nversion = {version}\n"
CONTROL = """\
Package: lintel
Version: {version}
Architecture: {architecture}
Maintainer: The Lintel project <maintainers@lintel.invalid>
Installed-Size: {size_kib}
Depends: python3 (>= {python}), python3 (<< {next_python}), systemd, udev, init-system-helpers, passwd, openssl,
 squashfs-tools, libasound2 (>= 1.2)
Recommends: libspeexdsp1, libturbojpeg0, libyuv0, network-manager, polkitd, rauc
Suggests: python3-picamera2, libtpm2-pkcs11-1
Section: electronics
Priority: optional
Description: open firmware for a network door station
 Turns a Linux single-board computer into a network door station, a network speaker or a camera, as its board file
 says. Three units (control, media, network) are installed and enabled.
"""


# Every interpreter of this environment looks for the program of the running slot first.
SLOT_FIRST = f"import os, sys; os.path.isdir('/{SLOT}/firmware') and sys.path.insert(0, '/{SLOT}')\n"


def run(words: list[str], **more: str) -> str:
    """Run a tool; its complaints are ours. Raises SystemExit."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | more
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False, env=environment)
    if done.returncode:
        raise SystemExit(f"deb: {' '.join(words[:4])} ... ended with {done.returncode}")
    return done.stdout.strip()


def environment(root: Path, python: str) -> str:
    """The virtual environment below `root`; returns the interpreter's version, such as 3.11."""
    home = root / HOME
    version = run([python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"])
    run([python, "-m", "venv", "--without-pip", "--clear", str(home)])
    pip = [sys.executable, "-m", "pip", "--python", str(home / "bin/python")]
    quiet = ["--quiet", "--no-warn-script-location", "--no-compile"]
    run([*pip, "install", *quiet, "--require-hashes", "-r", str(CHECKOUT / "requirements/base.txt")])
    with tempfile.TemporaryDirectory(prefix="lintel-wheel-") as wheels:
        make = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", wheels]
        run([*make, str(CHECKOUT)])
        run([*pip, "install", *quiet, "--no-deps", *map(str, Path(wheels).iterdir())])
    for script in (home / "bin").iterdir():
        script.unlink()
    (home / "bin/python").symlink_to(f"/usr/bin/python{version}")
    (home / "bin/lintel").write_text(LAUNCHER)
    (home / "bin/lintel").chmod(0o755)
    (home / "pyvenv.cfg").write_text(ENVIRONMENT.format(version=version))
    for name in ("lib64", "include"):
        left = home / name
        left.unlink() if left.is_symlink() else shutil.rmtree(left, ignore_errors=True)
    (home / "lib" / f"python{version}" / "site-packages" / "lintel-slot.pth").write_text(SLOT_FIRST)
    # Without a compiled form every process of a device would compile the whole program at its start; the file systems
    # of a device are read-only.
    compiled = ["compileall", "-q", "--invalidation-mode", "unchecked-hash", "-s", str(root), "-p", "/"]
    run([python, "-m", *compiled, str(home / "lib")])
    return version


def stage(root: Path, python: str) -> str:
    """The whole tree of the package below `root`; returns the interpreter's version."""
    version = environment(root, python)
    lay_out(root)
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/bin/lintel").symlink_to("../lib/lintel/bin/lintel")
    documents = root / "usr/share/doc/lintel"
    documents.mkdir(parents=True)
    shutil.copyfile(CHECKOUT / "LICENSE", documents / "copyright")
    return version


def describe(root: Path, version: str) -> None:
    """The part of the package that dpkg reads."""
    major, minor = version.split(".")
    about = root / "DEBIAN"
    size = sum(path.lstat().st_size for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    about.mkdir()
    (about / "control").write_text(
        CONTROL.format(
            version=VERSION,
            architecture=run(["dpkg", "--print-architecture"]),
            size_kib=size // 1024,
            python=version,
            next_python=f"{major}.{int(minor) + 1}",
        )
    )
    settings = [f"/{folder}/{Path(source).name}\n" for source, folder in PLACES.items() if folder.startswith("etc/")]
    (about / "conffiles").write_text("".join(settings))
    for script in ("postinst", "prerm", "postrm"):
        shutil.copyfile(SCRIPTS / script, about / script)
        (about / script).chmod(0o755)


def build(out: Path, python: str) -> None:
    """Make the package. Raises SystemExit."""
    with tempfile.TemporaryDirectory(prefix="lintel-deb-") as scratch:
        root = Path(scratch) / "root"
        root.mkdir(mode=0o755)
        describe(root, stage(root, python))
        waiting = Path(scratch) / "lintel.deb"
        packed = ["dpkg-deb", "--root-owner-group", "-Zzstd", "-z9", "--build", str(root), str(waiting)]
        run(packed, SOURCE_DATE_EPOCH=str(int(BUILT.timestamp())))
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(waiting, out)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="deb", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--python", default="/usr/bin/python3", help="the release's own (default: %(default)s)")
    parser.add_argument("out", type=Path)
    asked = parser.parse_args()
    build(asked.out, asked.python)
    print(f"{asked.out}: {asked.out.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
