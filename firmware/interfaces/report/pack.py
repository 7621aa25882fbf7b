"""A report as files, and those in one: a zip, or a tar with gzip."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping
from datetime import datetime

from firmware.core.actions import Caller
from firmware.core.context import Core
from firmware.core.errors import StationError
from firmware.core.vocabulary.logs import LogKind
from firmware.core.worker import Worker
from firmware.interfaces.report.gather import gather
from firmware.interfaces.report.logs import read

START = "----- Server Report Start -----"
END = "----- Server Report End -----"


def as_text(sections: Mapping[str, str]) -> str:
    """The sections one after another."""
    body = "".join(f"\n----- {title} -----\n{text}" for title, text in sections.items())
    return f"{START}\nServer Report Start\n{body}\n{END}\n"


def as_zip(files: Mapping[str, bytes], at: datetime) -> bytes:
    """A zip; `at` is the time its files carry."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, (max(at.year, 1980), at.month, at.day, at.hour, at.minute, at.second))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return made.getvalue()


def as_tar(files: Mapping[str, bytes], at: datetime) -> bytes:
    """A tar with gzip."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz", compresslevel=6) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), at.timestamp()
            archive.addfile(info, io.BytesIO(data))
    return made.getvalue()


async def files_of(core: Core, caller: Caller, *, logs: bool) -> dict[str, bytes]:
    """The report, and with `logs` the three logs, by file name; what cannot be had now is told in its place."""
    sections = {each.title: each.text for each in await gather(core, caller)}
    files = {"server_report.txt": as_text(sections).encode()}
    if logs:
        for log in LogKind:
            try:
                text = await read(core, caller, log)
            except StationError as error:
                text = f"cannot be had now: {error.message}\n"
            files[f"{log.value}.log"] = text.encode()
    return files


async def packed(core: Core, files: Mapping[str, bytes], serial: str, *, tar: bool) -> tuple[bytes, str]:
    """The files in one, and what it is called; the loop goes on while they are packed."""
    at = core.clock.utc()
    pack, suffix = (as_tar, "tgz") if tar else (as_zip, "zip")
    worker = Worker(core.clock, "report")
    worker.start()
    try:
        data = await worker.run(lambda: pack(files, at))
    finally:
        worker.close()
    return data, f"server_report_{serial}_{at:%Y%m%d_%H%M%S}.{suffix}"
