"""Forms: fields with their errors beside them, changes that nobody loses by accident, parameters of a group."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from nicegui import ui
from nicegui.elements.mixins.validation_element import ValidationElement
from nicegui.elements.mixins.value_element import ValueElement

from firmware.core.errors import StationError
from firmware.core.events import Notice
from firmware.core.param_schema import unit_of
from firmware.core.params import ParamInfo
from firmware.core.vocabulary.station import ParamsChanged
from firmware.interfaces.web.errors import explained
from firmware.interfaces.web.shapes import Kind, Shape, leaves, shape_of, text_of, value_of
from firmware.interfaces.web.view import View
from firmware.interfaces.web.words import N_

Changed = Callable[[], None]


class Field:
    """One value with its label, a line of help, and room for what is wrong with it."""

    def __init__(
        self,
        shape: Shape,
        label: str,
        *,
        help_text: str = "",
        secret: bool = False,
        unit: str = "",
        choices: Mapping[Any, str] | None = None,
    ) -> None:
        """`choices` says in words what the values of a CHOICE are."""
        self.shape = shape
        self.label = label
        with ui.element("div").classes("field") as self.row:
            self._build(help_text, secret, choices)
        if unit and isinstance(self.element, ui.input):
            self.element.props["suffix"] = unit

    def _build(self, help_text: str, secret: bool, choices: Mapping[Any, str] | None) -> None:
        self._fault: ui.label | None = None
        self.element = self._made(secret, choices)
        if help_text and isinstance(self.element, ValidationElement):
            self.element.props["hint"] = help_text
        if not isinstance(self.element, ValidationElement):
            if help_text:
                ui.label(help_text).classes("help")
            self._fault = ui.label().classes("bad").props("role=alert")
            self._fault.set_visibility(False)

    def _made(self, secret: bool, choices: Mapping[Any, str] | None) -> ValueElement[Any]:
        shape, label = self.shape, self.label
        if shape.kind is Kind.SWITCH:
            return ui.switch(label)
        if shape.kind is Kind.CHOICE:
            named = {value: str(value) for value in shape.choices} | dict(choices or {})
            if shape.empty:
                named = {None: "–", **named}
            select = ui.select(named, label=label)
            select.props["aria-label"] = label
            return select
        if shape.kind in (Kind.LINES, Kind.JSON):
            area = ui.textarea(label).props("autogrow spellcheck=false")
            return area.classes("mono") if shape.kind is Kind.JSON else area
        field = ui.input(label, password=secret)
        if secret:
            field.props["autocomplete"] = "new-password"
        if shape.kind is Kind.WHOLE:
            field.props["inputmode"] = "numeric"
        if shape.kind is Kind.NUMBER:
            field.props["inputmode"] = "decimal"
        return field

    def show(self, value: Any) -> None:
        """Say a value, which is right."""
        self.element.value = text_of(self.shape, value)
        self.complain("")

    def read(self, where: str) -> Any:
        """What it says now. Raises Invalid."""
        return value_of(self.shape, self.element.value, where)

    def complain(self, text: str) -> None:
        """Say what is wrong with it; with an empty text that nothing is."""
        if isinstance(self.element, ValidationElement):
            self.element.error = text or None
        if self._fault is not None:
            self._fault.set_text(text)
            self._fault.set_visibility(bool(text))


class Form:
    """Fields that are sent together. While something in it is not saved, leaving the page asks first."""

    def __init__(self, view: View, name: str, *, guarded: bool = True) -> None:
        """`name` is that of its fields in errors, such as a parameter group or an action; `guarded`: see above."""
        self.view = view
        self.name = name
        self.fields: dict[str, Field] = {}
        self.alias: dict[str, str] = {}  # fields that errors call otherwise, by that name
        self._guarded = guarded
        self._shown: dict[str, Any] = {}
        self._marked = False
        self._buttons: list[ui.button] = []
        self.box = ui.element("div").classes("form")
        with self.box:
            self.rows = ui.element("div").classes("form")
            self._fault = ui.label().classes("bad").props("role=alert")
            self._fault.set_visibility(False)
            self._foot = ui.element("div").classes("row")

    def add(self, name: str, field: Callable[[], Field], value: Any) -> Field:
        """Add a field, made by `field`, that shows `value`."""
        with self.rows:
            made = self.fields[name] = field()
        made.show(value)
        self._shown[name] = made.element.value
        made.element.on_value_change(lambda: self._touched(made))
        return made

    def text(self, name: str, label: str, value: str = "", *, help_text: str = "", secret: bool = False) -> Field:
        """Add a field for a text."""
        shape = Shape(kind=Kind.TEXT)
        return self.add(name, lambda: Field(shape, label, help_text=help_text, secret=secret), value)

    def choice(self, name: str, label: str, choices: Mapping[Any, str], value: Any) -> Field:
        """Add a field for one of several."""
        shape = Shape(kind=Kind.CHOICE, choices=tuple(choices))
        return self.add(name, lambda: Field(shape, label, choices=choices), value)

    def switch(self, name: str, label: str, value: bool = False, *, help_text: str = "") -> Field:
        """Add a field for yes or no."""
        return self.add(name, lambda: Field(Shape(kind=Kind.SWITCH), label, help_text=help_text), value)

    def buttons(self, send: str, then: Callable[[], Awaitable[None]], *, undo: bool = True) -> None:
        """Add the button that sends, whose errors come beside the fields, and one that takes changes back."""

        async def sent() -> None:
            self.clear_faults()
            try:
                await then()
            except StationError as error:
                self.refuse(error)

        with self._foot:
            self._buttons.append(ui.button(send, on_click=sent))
            if undo:
                self._buttons.append(ui.button(self.view.say(N_("Undo")), on_click=self.undo).props("flat"))
        if undo:
            self._mark()

    # what it says

    def changed(self) -> dict[str, Any]:
        """The fields that say something else than they were shown with. Raises Invalid."""
        return {
            name: field.read(f"{self.name}.{name}")
            for name, field in self.fields.items()
            if field.element.value != self._shown[name]
        }

    def values(self) -> dict[str, Any]:
        """What all fields say. Raises Invalid."""
        return {name: field.read(f"{self.name}.{name}") for name, field in self.fields.items()}

    @property
    def dirty(self) -> bool:
        """Whether something is not saved."""
        return any(field.element.value != self._shown[name] for name, field in self.fields.items())

    def show(self, values: Mapping[str, Any], *, keep: bool = False) -> None:
        """Show these values as saved; with `keep` fields that somebody is changing stay as they are."""
        for name, field in self.fields.items():
            if name not in values or (keep and field.element.value != self._shown[name]):
                continue
            self._shown[name] = text_of(field.shape, values[name])
            field.show(values[name])
        self._mark()

    def undo(self) -> None:
        """Take every change back."""
        self.clear_faults()
        for name, field in self.fields.items():
            field.element.value = self._shown[name]
        self._mark()

    # what is wrong

    def clear_faults(self) -> None:
        """Nothing is wrong any more."""
        self._fault.set_visibility(False)
        for field in self.fields.values():
            field.complain("")

    def refuse(self, error: StationError) -> None:
        """Say what went wrong beside the field that it is about, or under all."""
        names = {name: name for name in self.fields} | self.alias
        best = names.get(max((name for name in names if _in(name, error.where)), key=len, default=""))
        if best is not None:
            self.fields[best].complain(self.view.told(error.message))
            return
        self._fault.set_text(explained(self.view, error))
        self._fault.set_visibility(True)

    def _touched(self, field: Field) -> None:
        field.complain("")
        self._mark()

    def _mark(self) -> None:
        dirty = self.dirty
        for button in self._buttons[: 2 if len(self._buttons) > 1 else 0]:
            button.set_enabled(dirty)
        if self._guarded and dirty is not self._marked:
            self._marked = dirty
            self.view.client.run_javascript(f"lintel.mark({self.box.id}, {json.dumps(dirty)})")


def _in(name: str, place: str) -> bool:
    """Whether a place in an error is within this field."""
    return f".{name}." in f".{place}."


def help_of(view: View, info: ParamInfo, name: str, shape: Shape) -> str:
    """What a field of a parameter says under itself: meaning, limits, default."""
    _ = view.say
    words = [] if "." in name else [view.told(info.summary)]
    if shape.least is not None and shape.most is not None:
        words.append(_(N_("{least} to {most}."), least=f"{shape.least:g}", most=f"{shape.most:g}"))
    elif shape.longest is not None:
        words.append(_(N_("At most {count} characters."), count=shape.longest))
    if not info.secret and "." not in name and shape.kind not in (Kind.JSON, Kind.SWITCH):
        default = str(text_of(shape, info.default)).replace("\n", ", ")
        if shape.kind is Kind.CHOICE:
            default = view.told(default)
        if default and len(default) <= 40:
            words.append(_(N_("Default: {default}."), default=default))
    if info.restart and "." not in name:
        words.append(_(N_("Followed from the next start on.")))
    return " ".join(words)


class GroupForm(Form):
    """Parameters of a group, saved all or none; what others change meanwhile is shown, what one is changing is kept."""

    def __init__(
        self,
        view: View,
        group: str,
        infos: Sequence[ParamInfo],
        values: Mapping[str, Any],
        *,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """`labels` says in words what a parameter (or `parameter.part`) is called; without it its name stands."""
        super().__init__(view, group)
        self._whole: dict[str, Any] = {}
        named = labels or {}
        for info in infos:
            if info.name not in values:
                continue
            self._whole[info.name] = values[info.name]
            for name, shape in leaves(info.name, shape_of(json.loads(info.schema))):
                help_text = help_of(view, info, name, shape)
                label = named.get(name, name)
                unit = unit_of(name.rpartition(".")[2]) if "." in name else info.unit
                choices = {value: view.told(value) for value in shape.choices if isinstance(value, str)}
                made = _maker(shape, label, help_text, info.secret, unit, choices)
                field = self.add(name, made, _at(values, name))
                if not view.may(info.level):
                    field.element.props("disable")
        if any(view.may(info.level) for info in infos):
            self.buttons(view.say(N_("Save")), self._save)
        view.on(ParamsChanged, then=self._heard)

    @classmethod
    async def of(cls, view: View, group: str, *names: str, labels: Mapping[str, str] | None = None) -> GroupForm:
        """The form of a group, or of some of its parameters. Raises NotFound, Forbidden, Unavailable."""
        infos = await view.core.link.infos(group)
        values = await view.read(group)
        chosen = [info for info in infos if info.name in names] if names else infos
        return cls(view, group, chosen, values, labels=labels)

    async def _save(self) -> None:
        patch: dict[str, Any] = {}
        for name, value in self.changed().items():
            whole, _, part = name.partition(".")
            if part:
                patch.setdefault(whole, dict(self._whole[whole]))[part] = value
            else:
                patch[name] = value
        if not patch:
            return
        self._take(await self.view.change(self.name, patch), keep=False)
        self.view.tell(self.view.say(N_("Saved.")))

    def _take(self, values: Mapping[str, Any], *, keep: bool) -> None:
        self._whole |= {name: values[name] for name in self._whole if name in values}
        self.show({name: _at(values, name) for name in self.fields}, keep=keep)

    def _heard(self, notice: Notice) -> None:
        event = notice.event
        assert isinstance(event, ParamsChanged)
        if event.group == self.name and not self.box.is_deleted:
            self.view.begin(self._again())

    async def _again(self) -> None:
        self._take(await self.view.read(self.name), keep=True)


async def part_labels(view: View, group: str, labels: Mapping[str, str]) -> dict[str, str]:
    """Labels for the parts of every table of a group, such as `door.hold_s`; of several tables each is named."""
    names = list(await view.read(group))
    before = "{name}: " if len(names) > 1 else ""
    return {
        f"{name}.{part}": before.format(name=name) + view.say(said) for name in names for part, said in labels.items()
    }


def _maker(
    shape: Shape, label: str, help_text: str, secret: bool, unit: str, choices: Mapping[Any, str]
) -> Callable[[], Field]:
    return lambda: Field(shape, label, help_text=help_text, secret=secret, unit=unit, choices=choices)


def _at(values: Mapping[str, Any], name: str) -> Any:
    whole, _, part = name.partition(".")
    return values[whole][part] if part else values[whole]
