"""The two pages of somebody who has not logged in: the log-in, and the first administrator of a new device.

Plain pages without the toolkit: whoever is a stranger to the device reaches a form, three files and the native API.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from html import escape
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from firmware.core.actions import Level
from firmware.core.context import Core
from firmware.core.errors import NotFound
from firmware.core.vocabulary.certificates import HttpState
from firmware.core.vocabulary.device import DeviceInfo
from firmware.core.vocabulary.security import SetupState
from firmware.interfaces.api.routes import Routes
from firmware.interfaces.http.credentials import password_allowed
from firmware.interfaces.http.guard import host_of
from firmware.interfaces.web.plain import plain_page
from firmware.interfaces.web.policy import FILES, LOGIN, SETUP
from firmware.interfaces.web.visitor import Taste, taste_of
from firmware.interfaces.web.words import N_
from firmware.paths import CHECKOUT
from hal.errors import nearest

NAME = 'autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="32"'
KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

# What the script says, by the name it asks for.
SAID = {
    "differ": N_("The two passwords differ."),
    "wrong": N_("The name or the password is wrong."),
    "blocked": N_("Too many failures. Try again in {seconds} s."),
    "silent": N_("The device does not answer. Is it starting?"),
    "https": N_("A password is taken over HTTPS only."),
    "done": N_("The device has an administrator already. Log in."),
}
# What the API may say of the first administrator, without the value that it repeats.
TOLD = (
    "is missing",
    "is needed now: 30 minutes have passed since the first start",
    "is not the code of this device",
    "string should have at most 64 characters",
    "string should match pattern '^[ -~]{1,64}$'",
    "string should match pattern '^[a-zA-Z0-9._-]{1,32}$'",
    "too many log-ins at once; try again in a moment",
    "too many wrong codes; try again later",
)


class Entrance:
    """The endpoints before the log-in."""

    def __init__(self, core: Core, somebody: Callable[[], None]) -> None:
        """`somebody` is told that a person is about to come in."""
        self._core = core
        self._somebody = somebody
        folder = files("firmware.interfaces.web") / "static"
        self._files = {name: (folder / name).read_bytes() for name in FILES}

    def add_to(self, routes: Routes) -> None:
        """Add the routes; which of them are public is the policy's business."""
        anyone = Level.ANONYMOUS
        routes.add("GET", LOGIN, self.login, level=anyone, kind="text/html", summary="The log-in")
        routes.add("GET", SETUP, self.setup, level=anyone, kind="text/html", summary="The first administrator")
        for name in FILES:
            routes.add("GET", f"/web/{name}", self.file, level=anyone, summary="A file of these two pages")

    async def file(self, request: Request) -> Response:
        """One file. Raises NotFound."""
        name = request.url.path.rpartition("/")[2]
        if name not in self._files:
            raise NotFound("page", f"no file {name[:64]!r}{nearest(name, self._files)}")
        return Response(self._files[name], media_type=KINDS["." + name.rpartition(".")[2]])

    async def login(self, request: Request) -> Response:
        """The log-in; a device without an administrator leads to the form that makes one."""
        if self._setup_needed():
            return RedirectResponse(SETUP, 303)
        self._somebody()
        taste = taste_of(request)
        say = taste.catalogue.gettext
        form = f"""
<form id="login" class="stack">
  {_field("name", say(N_("Name")), NAME)}
  {_field("password", say(N_("Password")), 'type="password" autocomplete="current-password" maxlength="64"')}
  <p id="trouble" class="bad" role="alert" hidden></p>
  <button id="send">{escape(say(N_("Log in")))}</button>
</form>"""
        return self._page(request, taste, say(N_("Log in")), self._insecure(request, taste) + form)

    async def setup(self, request: Request) -> Response:
        """The form for the first administrator; gone as soon as there is one."""
        setup = self._core.bus.state(SetupState)
        if setup is None or not setup.needed:
            return RedirectResponse(LOGIN, 303)
        self._somebody()
        taste = taste_of(request)
        say = taste.catalogue.gettext
        hidden = "" if setup.code_required else " hidden"
        new = 'type="password" autocomplete="new-password" maxlength="64"'
        name = NAME + ' pattern="[a-zA-Z0-9._\\-]+"'
        form = f"""
<p>{escape(say(N_("This device has no account yet. Choose the name and the password of its administrator.")))}</p>
<form id="setup" class="stack">
  {_field("name", say(N_("Name")), name)}
  {_field("password", say(N_("Password")), new)}
  {_field("again", say(N_("Password again")), new)}
  <p class="row"><button type="button" id="generate" class="quiet">{escape(say(N_("Generate a password")))}</button>
    <output id="generated" aria-live="polite"></output></p>
  <div id="code-label"{hidden}>{
            _field(
                "code",
                say(N_("Set-up code, shown on the console of the device")),
                'autocomplete="one-time-code" maxlength="64"',
                needed=False,
            )
        }</div>
  <details><summary>{escape(say(N_("Licence")))}: Apache-2.0</summary>
    <pre tabindex="0">{escape(_licence())}</pre></details>
  <label class="tick"><input type="checkbox" id="licence" required> {escape(say(N_("I accept the licence")))}</label>
  <p id="trouble" class="bad" role="alert" hidden></p>
  <button id="send">{escape(say(N_("Create administrator")))}</button>
</form>"""
        return self._page(request, taste, say(N_("Set up this device")), self._insecure(request, taste) + form)

    def _setup_needed(self) -> bool:
        setup = self._core.bus.state(SetupState)
        return setup is not None and setup.needed

    def _insecure(self, request: Request, taste: Taste) -> str:
        """Where a password could be read on its way: says so, and where it could not."""
        if password_allowed(request.scope):
            return ""
        say = taste.catalogue.gettext
        link = ""
        served = self._core.bus.state(HttpState)
        if served is not None and served.https:
            host = host_of(request.headers.get("host", ""))
            shown = f"[{host}]" if ":" in host else host
            url = f"https://{shown}:{served.https.rpartition(':')[2]}/"
            link = f' <a href="{escape(url)}">{escape(say(N_("Use the encrypted address")))}</a>'
        return f'<p class="bad">{escape(say(N_("This connection is not encrypted.")))}{link}</p>'

    def _page(self, request: Request, taste: Taste, title: str, body: str) -> Response:
        info = self._core.bus.state(DeviceInfo)
        product = "Lintel" if info is None else info.product
        say = taste.catalogue.gettext
        said = "".join(f' data-{name}="{escape(say(text))}"' for name, text in SAID.items())
        told = json.dumps({text: taste.catalogue.told(text) for text in TOLD}, ensure_ascii=False)
        said += f' data-told="{escape(told)}"'
        script = '<script src="/web/entrance.js" defer></script>'
        return plain_page(taste, product, title, body, attributes=said, script=script)


def _field(name: str, label: str, how: str, *, needed: bool = True) -> str:
    """A labelled input."""
    required = " required" if needed else ""
    return f'<label for="{name}">{escape(label)}</label><input id="{name}" {how}{required}>'


def _licence() -> str:
    """The licence's text; a device installed without it names it."""
    path = CHECKOUT / "LICENSE"
    return path.read_text(encoding="utf-8") if path.is_file() else "Apache License, Version 2.0"
