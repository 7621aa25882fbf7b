"""A page that is logged in as the administrator wherever it goes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page

from tests.live.chromium import chromium
from tests.live.device import PATIENCE_S
from tests.live.pictures.viewers import authorization


@contextmanager
def browser(folder: Path, *names: str) -> Iterator[Page]:
    """A page of a fresh browser, whose files lie in `folder` meanwhile; `names` are this machine to it."""
    with chromium(folder, *names) as found:
        context = found.new_context(extra_http_headers={"Authorization": authorization()})
        context.set_default_timeout(PATIENCE_S * 1000)
        yield context.new_page()
