"""A new password in a form: twice, or made by the device."""

from __future__ import annotations

import secrets

from nicegui import ui

from firmware.core.errors import Invalid
from firmware.interfaces.web.forms import Form
from firmware.interfaces.web.view import View
from firmware.interfaces.web.words import N_

LETTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # none that looks like another
LENGTH = 16  # of one that is made here: 93 bits


def add_password(form: Form, view: View, name: str = "password", *, new: bool = False) -> None:
    """Add the two fields, and a way to have one made. `new`: there is one, which stays when nothing is written."""
    _ = view.say
    help_text = _(N_("Empty: it stays.")) if new else ""
    form.text(name, _(N_("New password")) if new else _(N_("Password")), secret=True, help_text=help_text)
    form.text("again", _(N_("Password again")), secret=True)
    with form.rows, ui.element("div").classes("row"):
        made = ui.label().classes("mono").props("aria-live=polite")

        def make() -> None:
            password = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
            made.set_text(password)
            for field in (name, "again"):
                form.fields[field].element.value = password

        ui.button(_(N_("Generate a password")), on_click=make).props("flat")


def password_of(form: Form, view: View, name: str = "password", *, needed: bool = True) -> str:
    """The password that was written, empty when none was. Raises Invalid beside the field."""
    password, again = (str(form.fields[field].element.value or "") for field in (name, "again"))
    if needed and not password:
        raise Invalid(f"{form.name}.{name}", view.say(N_("There is none yet.")))
    if password != again:
        raise Invalid(f"{form.name}.again", view.say(N_("The two passwords differ.")))
    return password
