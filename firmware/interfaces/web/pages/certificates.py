"""Certificates: what the device shows of itself and whom it trusts, and which of them HTTPS shows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from nicegui import ui

from firmware.core.actions import Nothing
from firmware.core.errors import NotFound
from firmware.core.events import Notice
from firmware.core.vocabulary.certificates import (
    CertificateChanged,
    CertificateKind,
    CertificateList,
    CertificateView,
    HttpState,
    KeyType,
    SigningRequest,
)
from firmware.interfaces.web.feed import gone
from firmware.interfaces.web.forms import Form, GroupForm
from firmware.interfaces.web.parts import Facts, Table, ask_first, card, cell, grid, moment
from firmware.interfaces.web.uploads import JSON, Upload
from firmware.interfaces.web.view import View
from firmware.interfaces.web.words import N_

KINDS = {
    CertificateKind.OWN: N_("Of this device"),
    CertificateKind.AUTHORITY: N_("Authority that is trusted"),
}
KEYS = {
    KeyType.EC_P256: "EC P-256",
    KeyType.EC_P384: "EC P-384",
    KeyType.RSA_2048: "RSA 2048",
    KeyType.RSA_3072: "RSA 3072",
    KeyType.RSA_4096: "RSA 4096",
}
DAYS = 3650
HTTP = "http"


class Certificates:
    """The list."""

    def __init__(self, view: View) -> None:
        self._view = view
        self.own: list[str] = []
        _ = view.say
        with card(_(N_("Certificates")), wide=True):
            heads = (N_("Name"), N_("For"), N_("Subject"), N_("Issued by"), N_("Valid until"), N_("Key"))
            self._table = Table((*(_(head) for head in heads), ""))

    async def show(self) -> None:
        """Read the list and show it."""
        found = await self._view.attempt(self._view.ask("certificates.list", {}, CertificateList))
        if found is None:
            return
        self.own = [each.name for each in found.certificates if each.kind is CertificateKind.OWN]
        self._table.clear()
        for certificate in found.certificates:
            self._row(certificate)

    def _row(self, shown: CertificateView) -> None:
        view = self._view
        _ = view.say
        ends = datetime.fromisoformat(shown.not_after)
        with self._table.row() as say:
            say(shown.name)
            say(_(KINDS[shown.kind]))
            say(shown.subject)
            say(_(N_("itself")) if shown.self_signed else shown.issuer)
            with cell() as until:
                moment(ends, "date")
            if view.core.clock.trusted() and ends < view.core.clock.utc():
                until.classes("bad")
            say(f"{shown.key_type}, {shown.keystore}" if shown.keystore else shown.key_type)
            with cell(), ui.element("div").classes("row"):
                self._button(
                    "download", _(N_("Download {name}"), name=shown.name), lambda: keep(view, shown.name, shown.pem)
                )
                if shown.kind is CertificateKind.OWN:
                    self._button(
                        "draw", _(N_("Signing request of {name}"), name=shown.name), lambda: self._request(shown.name)
                    )
                self._button("delete", _(N_("Remove {name}"), name=shown.name), lambda: self._remove(shown))

    def _button(self, icon: str, label: str, then: Any) -> None:
        button = ui.button(icon=icon, on_click=then).props("flat round")
        button.props["aria-label"] = label

    async def _request(self, name: str) -> None:
        wish = {"name": name, "subject": {}}
        made = await self._view.attempt(self._view.ask("certificates.request", wish, SigningRequest))
        if made is not None:
            keep(self._view, f"{name}.csr", made.pem)

    def _remove(self, shown: CertificateView) -> None:
        view = self._view
        _ = view.say

        async def agreed() -> None:
            await view.attempt(view.ask("certificates.remove", {"name": shown.name}, Nothing), done=_(N_("Removed.")))

        question = (
            _(N_("Remove the certificate {name} and its key for good?"), name=shown.name)
            if shown.kind is CertificateKind.OWN
            else _(N_("Remove {name}? Whoever it signed is no longer trusted."), name=shown.name)
        )
        ask_first(view, question, yes=_(N_("Remove")), then=agreed)


def keep(view: View, name: str, pem: str) -> None:
    """Let the browser keep a text in PEM as a file."""
    name = name if "." in name else f"{name}.pem"
    view.client.run_javascript(f"lintel.keep({json.dumps(name)}, {json.dumps(pem)})")


async def build(view: View) -> None:
    """The page."""
    with grid():
        certificates = Certificates(view)
        await certificates.show()
        _create(view)
        _upload(view)
        await _https(view, certificates)
    view.on(CertificateChanged, then=lambda _: view.begin(certificates.show()))


def _create(view: View) -> None:
    _ = view.say
    with card(_(N_("New self-signed certificate"))):
        form = Form(view, "certificates.create")
        form.text("name", _(N_("Name")))
        form.choice("key_type", _(N_("Key")), {kind.value: said for kind, said in KEYS.items()}, KeyType.EC_P256.value)
        form.text("common_name", _(N_("Common name")))
        form.text("organization", _(N_("Organization")))
        form.text("country", _(N_("Country")), help_text=_(N_("Two capital letters.")))
        form.text(
            "alternative_names", _(N_("Names and addresses it is good for")), help_text=_(N_("With spaces between."))
        )
        form.text("days", _(N_("Valid for days")), str(DAYS))

        async def create() -> None:
            values = form.values()
            days = str(values.pop("days"))
            names = str(values["alternative_names"]).split()
            top = {name: values.pop(name) for name in ("name", "key_type")}
            subject = {**values, "alternative_names": names}
            wish = {**top, "days": int(days) if days.isdecimal() else days, "subject": subject}
            await view.ask("certificates.create", wish, CertificateView)
            form.undo()
            view.tell(_(N_("Added.")))

        form.buttons(_(N_("Create")), create)


def _upload(view: View) -> None:
    _ = view.say

    def done(_answer: Mapping[str, Any]) -> None:
        view.tell(_(N_("Added.")))

    with card(_(N_("Add a certificate from a file"))):
        ui.label(_(N_("PEM, CER or PFX. The answer to a signing request gets the name of its certificate."))).classes(
            "quiet"
        )
        form = Upload(view, "/certificates", done, how=JSON)
        form.text("name", _(N_("Name")), needed=True)
        form.choice("kind", _(N_("For")), {kind.value: _(said) for kind, said in KINDS.items()})
        form.file("data", _(N_("Certificate file")))
        form.file("key", _(N_("Private key file, when it is not in the same file")), needed=False, text=True)
        form.text("password", _(N_("Password of the file")), secret=True)
        form.buttons(_(N_("Add")))


async def _https(view: View, certificates: Certificates) -> None:
    _ = view.say
    try:
        now = await view.read(HTTP)
    except NotFound:  # a device that does not serve HTTP by itself
        return
    with card(_(N_("HTTP and HTTPS")), wide=True):
        facts = Facts()

        def heard(notice: Notice) -> None:
            event = notice.event
            assert isinstance(event, HttpState)
            if gone(notice):
                return
            facts.show("HTTP", event.http or _(N_("off")))
            facts.show("HTTPS", event.https or _(N_("off")))
            facts.show(_(N_("Fingerprint (SHA-256)")), event.fingerprint, tone="mono")
            if event.warning:
                facts.show(_(N_("Warning")), view.told(event.warning), tone="warn")
            else:
                facts.drop(_(N_("Warning")))

        view.on(HttpState, then=heard)
        choose = Form(view, HTTP)
        named = {"": _(N_("The device's own"))} | {name: name for name in certificates.own}
        shown = str(now["certificate"])
        choose.choice("certificate", _(N_("Certificate that HTTPS shows")), {shown: shown} | named, shown)

        async def save() -> None:
            choose.show(await view.change(HTTP, choose.changed()))
            view.tell(_(N_("Saved.")))

        choose.buttons(_(N_("Save")), save)
        names = ("access", "http_port", "https_port", "hsts", "host_names")
        await GroupForm.of(
            view,
            HTTP,
            *names,
            labels={
                "access": _(N_("Access through")),
                "http_port": _(N_("Port of HTTP")),
                "https_port": _(N_("Port of HTTPS")),
                "hsts": _(N_("HTTP Strict Transport Security")),
                "host_names": _(N_("Names of this device in DNS")),
            },
        )
