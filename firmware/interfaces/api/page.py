"""The status page: files beside this one, served as they are; before set-up, the form instead.

No file name of a request ever reaches the file system: the files are read once and looked up by name.
"""

from __future__ import annotations

from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

from firmware.core.actions import Level
from firmware.core.context import Core
from firmware.core.errors import NotFound
from firmware.core.vocabulary.security import SetupState
from firmware.interfaces.api.routes import Routes
from hal.errors import nearest

KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
SETUP_FILES = ("setup.js", "style.css", "icon.svg")


class Page:
    """The endpoints of the page."""

    def __init__(self, core: Core) -> None:
        self._core = core
        folder = files("firmware.interfaces.api") / "page"
        self._files = {item.name: item.read_bytes() for item in folder.iterdir() if _suffix(item.name) in KINDS}

    def add_to(self, routes: Routes) -> None:
        """Add the routes; which of them are public before set-up is the gate's business."""
        routes.add("GET", "/", self.index, level=Level.ANONYMOUS, kind="text/html", summary="The status page")
        routes.add("GET", "/page/{name}", self.file, level=Level.ANONYMOUS, summary="A file of the status page")

    async def index(self, _: Request) -> Response:
        """The page, or the set-up form while there is no administrator."""
        setup = self._core.bus.state(SetupState)
        return self._answer("setup.html" if setup is not None and setup.needed else "status.html")

    async def file(self, request: Request) -> Response:
        """One file. Raises NotFound."""
        name = request.path_params["name"]
        if name not in self._files or name.endswith(".html"):
            known = [each for each in self._files if not each.endswith(".html")]
            raise NotFound("page", f"no file {name!r}{nearest(name, known)}")
        return self._answer(name)

    def _answer(self, name: str) -> Response:
        return Response(self._files[name], media_type=KINDS[_suffix(name)])


def _suffix(name: str) -> str:
    return "." + name.rpartition(".")[2]
