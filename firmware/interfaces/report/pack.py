"""Files of a report in one: a zip, or a tar with gzip."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping
from datetime import datetime

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
