"""The device image: every thing of the plan drawn once and moved by facts.

On a simulated device an operator touches it through the bench; on a real one an administrator simulates presses of its
buttons and exit buttons through the actions of their owners. What is no button is not simulated on a real device: a
contact, a loop or a card that is not there would hide what the door really does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import ui
from nicegui.element import Element

from firmware.core.actions import Level, Nothing
from firmware.core.events import Notice
from firmware.core.vocabulary.access import DoorState, Position
from firmware.core.vocabulary.audio import OutputState
from firmware.core.vocabulary.device import ButtonState, LightState
from firmware.core.vocabulary.io import PortState, RelayChanged
from firmware.interfaces.web.bench import LEVEL
from firmware.interfaces.web.image.shapes import Act, Light, place, shape, text, touchable
from firmware.interfaces.web.plan import Kind, Plan, Thing
from firmware.interfaces.web.view import View
from firmware.interfaces.web.words import N_

BODY_X, BODY_Y, BODY_W = 16.0, 16.0, 176.0
SIDE_X = 216.0
WIDTH = 400.0
KEYS = "123456789*0#"
CARD = "H10301:42:1234"


class DeviceImage:
    """Draws itself where it is made; open pages of one device each have their own."""

    def __init__(self, view: View, plan: Plan) -> None:
        self._view = view
        self._plan = plan
        self._hands = view.bench is not None and view.may(LEVEL)
        self._simulates = view.bench is None and view.may(Level.ADMIN)
        self._lights: dict[str, Light] = {}
        self._stripes: dict[str, Light] = {}
        self._marks: dict[tuple[Kind, str], Element] = {}
        self._leaves: dict[str, Element] = {}
        self._open: dict[str, bool] = {}
        self._y = BODY_Y + 14
        self.card = CARD
        self._draw()
        self._listen()

    # drawing

    def _draw(self) -> None:
        _ = self._view.say
        with ui.element("figure").classes("image"):
            drawing = shape("svg", role="group", preserveAspectRatio="xMidYMin meet")
            drawing.props["aria-label"] = _(N_("Image of the device"))
            with drawing:
                body = shape("rect", "body", x=BODY_X, y=BODY_Y, width=BODY_W, rx=14)
                self._front()
                bottom = self._y + 6
                with shape("g", "side"):
                    side = self._side()
            body.props["height"] = str(bottom - BODY_Y)
            drawing.props["viewBox"] = f"0 0 {WIDTH:g} {max(bottom, side) + 16:g}"
            if self._hands and self._plan.of(Kind.READER):
                self._cards()
            if not self._hands:
                with ui.element("figcaption").classes("quiet"):
                    ui.label(self._caption())

    def _caption(self) -> str:
        _ = self._view.say
        if self._simulates:
            return _(N_("A button of the image does what the real one does; the audit log says who pressed it."))
        return _(N_("The image shows the device and moves with it; this account may not press its buttons."))

    def _front(self) -> None:
        for thing in self._plan.of(Kind.CAMERA):
            self._row(thing, 56, self._camera)
        for thing in self._plan.of(Kind.LAMP):
            self._row(thing, 22, self._lamp)
        for thing in self._plan.of(Kind.LIGHT):
            self._row(thing, 22, self._light)
        for thing in self._plan.of(Kind.SPEAKER):
            self._row(thing, 50, self._speaker)
        for thing in self._plan.of(Kind.MICROPHONE):
            self._row(thing, 22, self._microphone)
        for thing in self._plan.of(Kind.READER):
            self._row(thing, 36, self._reader)
        keypad = next((thing for thing in self._plan.of(Kind.READER) if thing.keypad), None)
        if keypad is not None:
            self._row(keypad, 124, self._keypad)
        for thing in self._plan.of(Kind.BUTTON):
            self._row(thing, 30, self._button)

    def _row(self, thing: Thing, height: float, draw: Callable[[Thing], None]) -> None:
        with place(BODY_X + 14, self._y):
            draw(thing)
        self._y += height

    def _camera(self, _thing: Thing) -> None:
        shape("circle", "glass", cx=74, cy=24, r=22)
        shape("circle", "lens", cx=74, cy=24, r=11)

    def _lamp(self, thing: Thing) -> None:
        mark = shape("rect", "mark", x=0, y=4, width=18, height=10, rx=3)
        self._marks[thing.kind, thing.name] = mark
        text((26, 13), thing.title, "label")

    def _light(self, thing: Thing) -> None:
        lens = shape("circle", "led", cx=9, cy=9, r=7)
        lens.props["data-light"] = thing.name
        self._lights[thing.name] = Light(lens)
        text((26, 13), thing.title, "label")

    def _speaker(self, thing: Thing) -> None:
        mark = shape("g", "mark")
        self._marks[thing.kind, thing.name] = mark
        with mark:
            for row in range(4):
                for column in range(10):
                    shape("circle", cx=14 + column * 13, cy=6 + row * 10, r=2.6)

    def _microphone(self, thing: Thing) -> None:
        shape("circle", "hole", cx=9, cy=9, r=3)
        text((26, 13), thing.title, "label")

    def _reader(self, thing: Thing) -> None:
        stripe = shape("rect", "stripe", x=0, y=4, width=148, height=8, rx=4)
        stripe.props["data-reader"] = thing.title
        self._stripes[thing.peer] = Light(stripe)
        text((74, 27), thing.title, "label middle")

    def _keypad(self, thing: Thing) -> None:
        for number, key in enumerate(KEYS):
            with place(8 + number % 3 * 46, number // 3 * 30) as button:
                shape("rect", "key", width=40, height=25, rx=6)
                text((20, 17), key, "digit")
            if self._hands:
                touchable(button, self._view.say(N_("Key {key}"), key=key), press=self._hand("keys", thing.title, key))

    def _button(self, thing: Thing) -> None:
        with shape("g") as button:
            mark = shape("circle", "mark knob", cx=12, cy=12, r=10)
            self._marks[thing.kind, thing.name] = mark
            text((30, 16), thing.title, "label")
        label = self._view.say(N_("Button {name}"), name=thing.title)
        if self._hands:
            touchable(button, label, press=self._hand("hold", thing.title), release=self._hand("release", thing.title))
        elif self._simulates:
            data = {"button": thing.name}
            touchable(button, label, press=self._deed("button.hold", data), release=self._deed("button.let_go", data))

    def _side(self) -> float:
        y = BODY_Y
        for door in self._plan.doors:
            with place(SIDE_X, y):
                self._door(door)
            y += 196
        for thing in self._plan.of(Kind.EXIT, Kind.RELAY, Kind.PORT):
            with place(SIDE_X, y):
                self._terminal(thing)
            y += 28
        return y

    def _door(self, door: str) -> None:
        shape("rect", "frame", x=0, y=0, width=104, height=180)
        with shape("g", "leaf") as leaf:
            shape("path", "leaf-face", d="M6 6 H98 V180 H6 Z")
            shape("circle", "handle", cx=88, cy=96, r=4)
        leaf.props["data-door"] = door
        self._leaves[door] = leaf
        text((112, 16), door, "label")
        contact = next((each for each in self._plan.of(Kind.CONTACT) if each.door == door), None)
        if contact is not None and self._hands:
            touchable(
                leaf, self._view.say(N_("Door {door}: open or close it"), door=door), press=self._push(door, contact)
            )

    def _terminal(self, thing: Thing) -> None:
        with shape("g") as row:
            mark = shape("rect", "mark", x=0, y=2, width=18, height=18, rx=4 if thing.kind is Kind.RELAY else 9)
            mark.props["data-mark"] = thing.name
            self._marks[thing.kind, thing.name] = mark
            text((28, 16), thing.title, "label")
        label = self._view.say(N_("Press {name}"), name=thing.title)
        if self._simulates and thing.kind is Kind.EXIT:
            touchable(row, label, press=self._deed("exit.press", {"door": thing.door}))
        if not self._hands:
            return
        if thing.kind is Kind.EXIT:
            touchable(row, label, press=self._hand("press", thing.title))
        elif thing.kind is Kind.PORT:
            label = self._view.say(N_("Input {name}: open or close it"), name=thing.title)
            touchable(row, label, press=self._toggle(thing))

    def _cards(self) -> None:
        _ = self._view.say
        readers = {thing.title: thing.title for thing in self._plan.of(Kind.READER)}
        with ui.element("div").classes("row"):
            card = ui.input(_(N_("Card")), value=self.card).props("dense outlined").classes("card-number")
            at = ui.select(readers, label=_(N_("Reader")), value=next(iter(readers))).props("dense outlined")

            async def swipe() -> None:
                await self._touch("swipe", str(at.value), str(card.value).strip())

            ui.button(_(N_("Swipe card")), icon="contactless", on_click=swipe).props("data-swipe")

    # hands

    def _hand(self, verb: str, *words: str) -> Act:
        async def act() -> bool:
            return await self._touch(verb, *words)

        return act

    def _deed(self, action: str, data: dict[str, str]) -> Act:
        """What an administrator does to a real device."""

        async def act() -> bool:
            return await self._do(self._view.ask(action, data, Nothing))

        return act

    def _push(self, door: str, contact: Thing) -> Act:
        async def act() -> bool:
            return await self._touch("input", contact.peer, "closed" if self._open.get(door) else "open")

        return act

    def _toggle(self, thing: Thing) -> Act:
        async def act() -> bool:
            state = self._view.core.bus.state(PortState, thing.name)
            closed = state is not None and state.circuit.value == "closed"
            return await self._touch("input", thing.peer, "open" if closed else "closed")

        return act

    async def _touch(self, verb: str, *words: str) -> bool:
        assert self._view.bench is not None
        return await self._do(self._view.bench.do(self._view.caller, verb, *words))

    async def _do(self, work: Awaitable[object]) -> bool:
        """Whether it was done; else the visitor was told why not."""

        async def done() -> bool:
            await work
            return True

        return await self._view.attempt(done()) or False

    # facts

    def _listen(self) -> None:
        view = self._view
        view.on(LightState, then=self._heard_light)
        view.on(DoorState, then=self._heard_door)
        view.on(RelayChanged, ButtonState, PortState, OutputState, then=self._heard_mark)
        if view.bench is not None and (self._stripes or self._plan.of(Kind.LAMP)):
            view.watch(self._changed)

    def _heard_light(self, notice: Notice) -> None:
        event = notice.event
        assert isinstance(event, LightState)
        if (light := self._lights.get(event.light)) is not None:
            light.show(event.pattern)

    def _heard_door(self, notice: Notice) -> None:
        event = notice.event
        assert isinstance(event, DoorState)
        leaf = self._leaves.get(event.door)
        if leaf is None:
            return
        self._open[event.door] = event.position is Position.OPEN
        alarm = event.forced or event.held_open or event.tampered
        words = ("leaf", "released" if event.released else "", "open" if event.position is Position.OPEN else "")
        leaf.classes(replace=" ".join(each for each in (*words, "alarm" if alarm else "", "touch") if each))
        leaf.props["data-released"] = str(event.released).lower()
        leaf.update()

    def _heard_mark(self, notice: Notice) -> None:
        match notice.event:
            case RelayChanged() as relay:
                self._mark(Kind.RELAY, relay.relay, on=relay.on)
            case ButtonState() as button:
                self._mark(Kind.BUTTON, button.button, on=button.pressed)
            case PortState() as port:
                self._mark(Kind.PORT, port.port, on=port.active, bad=port.tampered)
            case OutputState() as output:
                self._mark(Kind.SPEAKER, output.output, on=bool(output.playing))

    def _changed(self, name: str, value: bool | str) -> None:
        """What the bench saw: lights of readers, lamps, exit buttons; no fact tells of them."""
        peer, _dot, part = name.partition(".")
        if part == "led" and peer in self._stripes and isinstance(value, str):
            self._stripes[peer].show(value)
            return
        for thing in self._plan.of(Kind.LAMP, Kind.EXIT):
            if thing.peer == name:
                self._mark(thing.kind, thing.name, on=value in (True, "closed"))

    def _mark(self, kind: Kind, name: str, *, on: bool, bad: bool = False) -> None:
        mark = self._marks.get((kind, name))
        if mark is not None:
            mark.props["data-on"] = str(on).lower()
            mark.classes(add="on" if on else "", remove="" if on else "on")
            mark.classes(add="alarm" if bad else "", remove="" if bad else "alarm")
            mark.update()
