"""Files out of a bundle's squashfs, by `unsquashfs`, piece by piece and without root."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from firmware.core.store_file import Damaged
from firmware.upgrade.ports import Image

CHUNK_BYTES = 1024 * 1024
TOOL = "unsquashfs"
# What a tool says of itself in an error is cut there.
SAID = 300


def unpacked(bundle: Path, image: Image) -> Iterator[bytes]:
    """The content of one image of a bundle. Raises Damaged, OSError (the tool is missing)."""
    command = [TOOL, "-no-progress", "-processors", "1", "-data-queue", "4", "-frag-queue", "4"]
    command += ["-cat", str(bundle), image.filename]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    ) as tool:
        assert tool.stdout is not None
        assert tool.stderr is not None
        try:
            while chunk := tool.stdout.read(CHUNK_BYTES):
                yield chunk
        except BaseException:
            tool.kill()
            raise
        said = tool.stderr.read(SAID).decode(errors="replace").strip()
    if tool.returncode != 0:
        raise Damaged(image.filename, f"cannot be read out of the bundle ({said or tool.returncode})")
