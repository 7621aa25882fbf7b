"""XML of requests, read so that it cannot hurt (hardening row 37): no DTD, no entities, all bounded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

from firmware.core.errors import Invalid

LARGEST = 256 * 1024
LONGEST_NAMESPACE = 256
DEEPEST = 64
MOST_ELEMENTS = 5000
MOST_ATTRIBUTES = 64
SEPARATOR = " "


@dataclass(slots=True)
class Element:
    """An element: namespace, local name, attributes by local name, text, children.

    `prefixes` are those of the whole document, with their namespaces: for names that stand in texts.
    """

    space: str
    name: str
    attributes: Mapping[str, str]
    text: str = ""
    children: list[Element] = field(default_factory=list)
    prefixes: Mapping[str, str] = field(default_factory=dict)

    def child(self, name: str) -> Element | None:
        """The first child of that local name."""
        return next((child for child in self.children if child.name == name), None)

    def words(self, name: str, default: str = "") -> str:
        """The text of the first child of that name."""
        found = self.child(name)
        return found.text.strip() if found is not None else default


def parse(data: bytes, where: str = "body") -> Element:
    """The document as elements. Raises Invalid for whatever is not plain, small XML."""
    if len(data) > LARGEST:
        raise Invalid(where, f"is larger than {LARGEST} bytes")
    builder = _Builder(where)
    parser = expat.ParserCreate(namespace_separator=SEPARATOR)
    parser.buffer_text = True  # or a text of many lines would be put together line by line
    parser.buffer_size = 64 * 1024
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.characters
    parser.StartDoctypeDeclHandler = builder.doctype
    parser.StartNamespaceDeclHandler = builder.declare
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        place = f"line {error.lineno}, column {error.offset}"
        raise Invalid(where, f"is no XML: {expat.ErrorString(error.code)} ({place})") from None
    except (ValueError, LookupError) as error:  # an encoding that Python does not know
        raise Invalid(where, f"is no XML: {error}") from None
    assert builder.top is not None, "expat refuses a document without an element"
    return builder.top


class _Builder:
    def __init__(self, where: str) -> None:
        self._where = where
        self._open: list[Element] = []
        self._count = 0
        self._prefixes: dict[str, str] = {}
        self.top: Element | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > MOST_ELEMENTS or len(self._open) >= DEEPEST or len(attributes) > MOST_ATTRIBUTES:
            raise Invalid(self._where, f"has more than {MOST_ELEMENTS} elements, {DEEPEST} levels or "
                          f"{MOST_ATTRIBUTES} attributes")  # fmt: skip
        space, _, name = tag.rpartition(SEPARATOR)
        local = {key.rpartition(SEPARATOR)[2]: value for key, value in attributes.items()}
        element = Element(space, name, local, prefixes=self._prefixes)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.top = element
        self._open.append(element)

    def end(self, _: str) -> None:
        self._open.pop()

    def characters(self, text: str) -> None:
        self._open[-1].text += text

    def declare(self, prefix: str | None, uri: str | None) -> None:
        # Every element and attribute bears its namespace: a long one would be kept thousands of times.
        if uri is not None and len(uri) > LONGEST_NAMESPACE:
            raise Invalid(self._where, f"has a namespace longer than {LONGEST_NAMESPACE} signs")
        self._prefixes[prefix or ""] = uri or ""
        if len(self._prefixes) > MOST_ATTRIBUTES:
            raise Invalid(self._where, f"declares more than {MOST_ATTRIBUTES} prefixes")

    def doctype(self, *_: object) -> None:
        raise Invalid(self._where, "has a document type, which is not taken")
