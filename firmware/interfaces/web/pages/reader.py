"""Reader: what is connected, who may pass, what readers ask for, how cards are sent on (manual 001, Reader)."""

from __future__ import annotations

from firmware.core.actions import Level
from firmware.core.cards.credential import encode, parse
from firmware.core.cards.output import OutputFormat, encode_card, preview
from firmware.core.errors import StationError
from firmware.core.events import Notice
from firmware.core.values import decode
from firmware.core.vocabulary.access import CardRead, ReaderState
from firmware.core.vocabulary.osdp import ReaderLink
from firmware.core.vocabulary.station import ParamsChanged
from firmware.interfaces.web.entries import Entries
from firmware.interfaces.web.forms import GroupForm, part_labels
from firmware.interfaces.web.parts import Facts, card, grid
from firmware.interfaces.web.view import View
from firmware.interfaces.web.words import N_

CARD_OF_THE_PREVIEW = "H10301:42:1234"
OSDP = {"use": N_("Use it"), "address": N_("Address"), "baud": N_("Rate"), "insecure": N_("Talk in clear text. UNSAFE")}
CHIPS = {
    "active": N_("Chip types that are read"),
    "reverse_csn": N_("Turn round card serial numbers"),
    "reverse_secure": N_("Turn round secure card data"),
}
FORMAT = ("data_format", "facility_mode", "facility_code", "reverse_bytes")


async def build(view: View) -> None:
    """The page; settings are for administrators."""
    _ = view.say
    with grid():
        await Entries(view).show()
        _connections(view)
        if view.may(Level.ADMIN):
            with card(_(N_("What readers ask for"))):
                await GroupForm.of(
                    view, "access", "mode", "pin_length", "pin_timeout_s", "use_entry_list", "use_controller",
                    labels={
                        "mode": _(N_("Ask for")), "pin_length": _(N_("Digits of a PIN")),
                        "pin_timeout_s": _(N_("Seconds to type a PIN")), "use_entry_list": _(N_("Use the entry list")),
                        "use_controller": _(N_("Ask a door controller")),
                    },
                )  # fmt: skip
            if "osdp" in await view.core.link.groups():
                with card(_(N_("External reader"))):
                    await GroupForm.of(view, "osdp", labels=await part_labels(view, "osdp", OSDP))
            with card(_(N_("Chip types"))):
                await GroupForm.of(
                    view,
                    "chips",
                    "active",
                    "reverse_csn",
                    "reverse_secure",
                    labels={name: _(said) for name, said in CHIPS.items()},
                )
            with card(_(N_("Output format"))):
                await _output(view)


def _connections(view: View) -> None:
    _ = view.say
    with card(_(N_("Readers"))):
        facts = Facts()

        def heard(notice: Notice) -> None:
            match notice.event:
                case ReaderState() as reader:
                    lost = _(N_("{count} frames thrown away"), count=reader.discarded)
                    facts.show(reader.alias, f"{_(N_('Door'))}: {reader.door}, {lost}")
                case ReaderLink() as link:
                    words = (
                        view.told(link.phase.value),
                        view.told(link.reason),
                        _(N_("encrypted")) if link.secure else "",
                    )
                    facts.show(f"{link.alias} (OSDP)", " · ".join(word for word in words if word))

        view.on(ReaderState, ReaderLink, then=heard)


async def _output(view: View) -> None:
    """How a card goes out to a controller, with the bits of the card read last."""
    _ = view.say
    await GroupForm.of(
        view, "controller", *FORMAT,
        labels={
            "data_format": _(N_("Data format")), "facility_mode": _(N_("Facility code comes from")),
            "facility_code": _(N_("Facility code")), "reverse_bytes": _(N_("Turn the byte order")),
        },
    )  # fmt: skip
    facts = Facts()
    seen = {"card": CARD_OF_THE_PREVIEW}

    async def show() -> None:
        now = await view.read("controller")
        try:
            shown = _bits(seen["card"], {name: now[name] for name in FORMAT})
        except ValueError as error:
            facts.show(_(N_("Bits")), view.told(str(error)), tone="bad")
            return
        facts.show(_(N_("Card")), seen["card"], tone="mono")
        facts.show(_(N_("Bits")), shown[0], tone="mono")
        facts.show(_(N_("Meaning")), shown[1], tone="mono")

    def heard(notice: Notice) -> None:
        event = notice.event
        if isinstance(event, CardRead) and event.credential is not None:
            seen["card"] = event.credential
        elif not (isinstance(event, ParamsChanged) and event.group == "controller"):
            return
        view.begin(show())

    view.on(CardRead, ParamsChanged, then=heard)
    await show()


def _bits(text: str, settings: dict[str, object]) -> tuple[str, str]:
    """The bits of a card as they go out, and what each of them is. Raises ValueError."""
    credential = parse(text)
    try:
        output = decode(OutputFormat, settings, where="controller")
    except StationError as error:
        raise ValueError(error.message) from None
    sent = encode_card(encode(credential), credential, output)
    shown = preview(sent.layout, sent.bits)
    return shown.bits, shown.marks
