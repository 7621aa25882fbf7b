"""All faces of the device over HTTP, behind one guard: the place where another one is added."""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection
from pathlib import Path

from firmware.core.context import Core
from firmware.core.link.channel import Connect
from firmware.interfaces.api.app import Api
from firmware.interfaces.api.upload import Spool
from firmware.interfaces.discovery.face import Description
from firmware.interfaces.http.guard import Guard
from firmware.interfaces.net.looking import Looking
from firmware.interfaces.report.leaving import TroubleshootingDesk
from firmware.interfaces.vapix.face import Vapix
from firmware.interfaces.video.views import Views
from firmware.interfaces.web.web import Web


def host_names() -> frozenset[str]:
    """The names this machine has by itself: its host name, also as multicast DNS says it."""
    name = socket.gethostname().lower()
    return frozenset({name, f"{name.partition('.')[0]}.local"})


def guarded(
    core: Core,
    *,
    web: Web | None,
    spool: Spool | None = None,
    clip_spool: Spool | None = None,
    views: Views | None = None,
    voices: Connect | None = None,
    listener: Path | None = None,
    names: Callable[[], Collection[str]] = host_names,
    hsts: Callable[[], bool] = lambda: False,
    local: Callable[[], bool] = lambda: False,
) -> Guard:
    """Everything that is served over HTTP and HTTPS; `web` are the pages, `local` lets tests reach this device."""
    seen = views or Views(core, ())  # a device without a camera has nothing to look at
    looking = Looking(core, local, listener)  # one test at a time, whoever asks for it
    TroubleshootingDesk(core, looking, seen, None if spool is None else spool.folder)
    api = Api(core, spool=spool, clip_spool=clip_spool, views=views, looking=looking)
    vapix = Vapix(core, seen, spool=spool, clip_spool=clip_spool, voices=voices, looking=looking)
    pages = () if web is None else (web.face(),)
    faces = (api.face(alone=web is None), *pages, vapix.face(), Description(core).face())
    return Guard(faces, core, names, hsts)
