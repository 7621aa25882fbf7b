"""Accounts: who may log in, and as what; for administrators."""

from __future__ import annotations

from nicegui import ui

from firmware.core.actions import Nothing
from firmware.core.errors import StationError
from firmware.core.vocabulary.security import AccountChanged, AccountLevel, AccountList, AccountView
from firmware.interfaces.web.forms import Form
from firmware.interfaces.web.parts import Table, ask_first, card, cell, grid
from firmware.interfaces.web.passwords import add_password, password_of
from firmware.interfaces.web.view import View
from firmware.interfaces.web.words import N_

LEVELS = {
    AccountLevel.VIEWER: N_("Viewer: looks"),
    AccountLevel.OPERATOR: N_("Operator: works doors and entries"),
    AccountLevel.ADMIN: N_("Administrator: everything"),
}
SHORT = {
    AccountLevel.VIEWER: N_("Viewer"),
    AccountLevel.OPERATOR: N_("Operator"),
    AccountLevel.ADMIN: N_("Administrator"),
}


class Accounts:
    """The list, and the form for one more."""

    def __init__(self, view: View) -> None:
        self._view = view
        _ = view.say
        with card(_(N_("Accounts")), wide=True):
            self._table = Table((_(N_("Name")), _(N_("Level")), _(N_("Moves the camera")), ""))
        with card(_(N_("Add an account"))):
            self._add = Form(view, "accounts.add")
            self._add.text("name", _(N_("Name")), help_text=_(N_("Letters, digits, dot, dash and underscore.")))
            self._level(self._add, AccountLevel.VIEWER, ptz=False)
            add_password(self._add, view)
            self._add.buttons(_(N_("Add")), self._adding)

    def _level(self, form: Form, level: AccountLevel, *, ptz: bool) -> None:
        _ = self._view.say
        form.choice("level", _(N_("Level")), {each.value: _(said) for each, said in LEVELS.items()}, level.value)
        if "ptz" in self._view.info.capabilities:
            form.switch("ptz", _(N_("Viewer may move the camera")), ptz)

    async def show(self) -> None:
        """Read the list and show it."""
        try:
            found = await self._view.ask("accounts.list", {}, AccountList)
        except StationError as error:
            self._view.complain(error)
            return
        self._table.clear()
        for account in found.accounts:
            self._row(account)

    def _row(self, account: AccountView) -> None:
        _ = self._view.say
        moves = account.ptz or account.level is not AccountLevel.VIEWER
        with self._table.row() as say:
            say(account.name)
            say(_(SHORT[account.level]))
            say(_(N_("yes")) if moves else _(N_("no")))
            with cell(), ui.element("div").classes("row"):
                for text, icon, then in (
                    (_(N_("Change {name}"), name=account.name), "edit", self._changing),
                    (_(N_("Remove {name}"), name=account.name), "delete", self._removing),
                ):
                    button = ui.button(icon=icon, on_click=lambda then=then: then(account)).props("flat round")
                    button.props["aria-label"] = text

    async def _adding(self) -> None:
        values = self._add.values()
        password = password_of(self._add, self._view)
        wish = {name: value for name, value in values.items() if name not in ("password", "again")}
        await self._view.ask("accounts.add", {**wish, "password": password}, AccountView)
        self._add.undo()
        self._view.tell(self._view.say(N_("Added.")))

    def _changing(self, account: AccountView) -> None:
        view = self._view
        _ = view.say
        title = _(N_("Change {name}"), name=account.name)
        with ui.dialog(value=True) as dialog, ui.card():
            dialog.props["aria-label"] = title
            ui.label(title).classes("quiet")
            form = Form(view, "accounts.change")
            self._level(form, account.level, ptz=account.ptz)
            add_password(form, view, new=True)

            async def save() -> None:
                wish = {name: value for name, value in form.changed().items() if name in ("level", "ptz")}
                if password := password_of(form, view, needed=False):
                    wish["password"] = password
                await view.ask("accounts.change", {"name": account.name, **wish}, AccountView)
                form.undo()
                dialog.close()
                view.tell(_(N_("Saved.")))

            form.buttons(_(N_("Save")), save)
            ui.button(_(N_("Cancel")), on_click=dialog.close).props("flat")

        def closed() -> None:
            form.undo()  # what was written in it is no unsaved change any more
            dialog.delete()

        dialog.on("hide", closed)

    def _removing(self, account: AccountView) -> None:
        view = self._view
        _ = view.say

        async def agreed() -> None:
            await view.attempt(view.ask("accounts.remove", {"name": account.name}, Nothing), done=_(N_("Removed.")))

        question = _(N_("Remove the account {name}? Whoever uses it is logged out at once."), name=account.name)
        ask_first(view, question, yes=_(N_("Remove")), then=agreed)


async def build(view: View) -> None:
    """The page."""
    with grid():
        accounts = Accounts(view)
    await accounts.show()
    view.on(AccountChanged, then=lambda _: view.begin(accounts.show()))
