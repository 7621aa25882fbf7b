"""What surrounds every page: title, navigation (a drawer on a phone), warnings, language, colours, log-out."""

from __future__ import annotations

from nicegui import ui

from firmware.core.actions import Level
from firmware.core.errors import StationError
from firmware.core.events import Notice
from firmware.core.vocabulary.security import AnonymousState
from firmware.core.vocabulary.station import UnsafeSetting
from firmware.interfaces.web.errors import explained
from firmware.interfaces.web.feed import gone
from firmware.interfaces.web.pages import PAGES, Page
from firmware.interfaces.web.view import View
from firmware.interfaces.web.words import LANGUAGES, N_, PLACE

HEAD = '<link rel="stylesheet" href="/web/pages.css"><script src="/web/pages.js" defer></script>'
THEMES = (("auto", N_("Colours as the browser has them"), "brightness_auto"), ("light", N_("Light"), "light_mode"),
          ("dark", N_("Dark"), "dark_mode"))  # fmt: skip
LEVELS = {Level.VIEWER: N_("Viewer"), Level.OPERATOR: N_("Operator"), Level.ADMIN: N_("Administrator")}


async def furnish(view: View, page: Page) -> None:
    """Build the frame and the page within it; what goes wrong in the page is shown in its place."""
    ui.add_head_html(HEAD)
    await _head(view, page)
    _warnings(view)
    with ui.element("div").classes("page").props(f'data-page="{page.name}"'):
        with ui.element("h1").classes("title"):
            ui.label(view.say(page.title))
        try:
            await page.builder()(view)
        except StationError as error:
            ui.label(explained(view, error)).classes("trouble").props("role=alert")


async def _name(view: View) -> str:
    """What people call this device."""
    return str((await view.read(PLACE))["name"]) or view.info.product


async def _head(view: View, page: Page) -> None:
    _ = view.say
    # The browser opens it where there is room, and says so; asked by us, a slow one would not answer in time.
    with ui.left_drawer(value=False, bordered=True).classes("drawer").props("show-if-above") as drawer:
        with ui.element("nav") as nav:
            nav.props["aria-label"] = _(N_("Pages"))
            for each in PAGES:
                if each.listed and view.may(each.level) and each.fits(view.info.capabilities):
                    _entry(view, each, here=each is page)
    with ui.header().classes("head"):
        ui.button(icon="menu", on_click=drawer.toggle).props(f'flat round color=white aria-label="{_(N_("Menu"))}"')
        with ui.element("a").props('href="/"').classes("brand"):
            ui.label(await _name(view))
        ui.space()
        ui.label(_(page.title)).classes("here")
        ui.space()
        _languages(view)
        _themes(view)
        _account(view)


def _entry(view: View, page: Page, *, here: bool) -> None:
    with ui.element("a").props(f'href="{page.path}"').classes("entry") as entry:
        if here:
            entry.props('aria-current="page"')
        ui.icon(page.icon).props("aria-hidden=true")
        ui.label(view.say(page.title))


def _menu(icon: str, label: str) -> ui.menu:
    with ui.button(icon=icon).props("flat round color=white") as button:
        button.props["aria-label"] = label
        return ui.menu().props("auto-close")


def _languages(view: View) -> None:
    with _menu("language", view.say(N_("Language"))):
        for code, name in LANGUAGES.items():
            item = ui.menu_item(name).props(f'lang="{code}"')
            item.on("click", js_handler=f"() => lintel.prefer('language', '{code}')")


def _themes(view: View) -> None:
    with _menu("contrast", view.say(N_("Colours"))):
        for code, name, _icon in THEMES:
            ui.menu_item(view.say(name)).on("click", js_handler=f"() => lintel.prefer('theme', '{code}')")


def _account(view: View) -> None:
    _ = view.say
    if not view.token and view.core.bus.state(AnonymousState) is not None and view.caller.level <= Level.VIEWER:
        with ui.element("a").props('href="/login"').classes("brand"):
            ui.label(_(N_("Log in")))
        return
    with _menu("account_circle", _(N_("Account"))):
        level = LEVELS.get(view.caller.level)
        ui.menu_item(f"{view.caller.name} ({_(level) if level else view.caller.level.name})").props("disable")
        ui.menu_item(_(N_("Own password"))).on("click", js_handler="() => location.assign('/password')")
        ui.menu_item(_(N_("Log out"))).on("click", js_handler="() => lintel.logout()")


def _warnings(view: View) -> None:
    """Whoever is here sees what somebody made less safe, for as long as it is."""
    box = ui.element("div").classes("warnings").props('role="status"')
    rows: dict[str, ui.label] = {}

    def heard(notice: Notice) -> None:
        event = notice.event
        assert isinstance(event, UnsafeSetting)
        if (old := rows.pop(event.place, None)) is not None:
            old.delete()
        if not gone(notice):
            with box:
                rows[event.place] = ui.label(view.say(N_("Unsafe setting: {detail}"), detail=view.told(event.detail)))

    view.on(UnsafeSetting, then=heard)
