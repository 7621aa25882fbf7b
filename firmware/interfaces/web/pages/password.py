"""One's own password, for everybody who has an account."""

from __future__ import annotations

from firmware.core.vocabulary.security import AccountView
from firmware.interfaces.web.forms import Form
from firmware.interfaces.web.parts import card, grid
from firmware.interfaces.web.passwords import add_password, password_of
from firmware.interfaces.web.view import View
from firmware.interfaces.web.words import N_


async def build(view: View) -> None:
    """The page. Whoever changes the password logs in anew."""
    _ = view.say
    with grid(), card(view.caller.name):
        form = Form(view, "accounts.password")
        form.text("current", _(N_("Present password")), secret=True)
        form.fields["current"].element.props["autocomplete"] = "current-password"
        add_password(form, view, "new")

        async def save() -> None:
            wish = {"current": form.values()["current"], "new": password_of(form, view, "new")}
            await view.ask("accounts.password", wish, AccountView)
            form.undo()
            view.tell(_(N_("Saved. Log in with the new password.")))

        form.buttons(_(N_("Save")), save)
