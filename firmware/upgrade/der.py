"""DER, as strictly as it is defined: one way to write each value, nothing behind it (ITU-T X.690, clauses 8 and 10)."""

from __future__ import annotations

from dataclasses import dataclass

from firmware.upgrade.refusals import Refusal, Why

SEQUENCE, SET, INTEGER, OCTETS, OID, UTF8, NULL = 0x30, 0x31, 0x02, 0x04, 0x06, 0x0C, 0x05
DEEPEST = 16


@dataclass(frozen=True, slots=True)
class Value:
    """One element: its tag, its content, and both with the header as they were written."""

    tag: int
    content: bytes
    whole: bytes

    def parts(self) -> list[Value]:
        """The elements inside. Raises Refusal."""
        found = []
        rest = self.content
        while rest:
            one, rest = take(rest)
            found.append(one)
        return found

    def fields(self, *tags: int) -> list[Value]:
        """The elements inside, which are exactly of these tags. Raises Refusal."""
        found = self.parts()
        if [one.tag for one in found] != list(tags):
            raise malformed("other fields than expected")
        return found


def malformed(what: str) -> Refusal:
    """The refusal of anything that is not what a signer writes."""
    return Refusal(Why.SIGNATURE_FORM, what)


def take(data: bytes) -> tuple[Value, bytes]:
    """The first element of `data`, and what follows it. Raises Refusal."""
    if len(data) < 2:
        raise malformed("an element without a length")
    tag, count, at = data[0], data[1], 2
    if tag & 0x1F == 0x1F:
        raise malformed("a tag of more than one byte")
    if count >= 0x80:
        width = count & 0x7F
        if not 1 <= width <= 4:
            raise malformed("an indefinite or oversized length")
        if len(data) < 2 + width:
            raise malformed("half a length")
        count, at = int.from_bytes(data[2 : 2 + width]), 2 + width
        if count < 0x80 or count < 1 << 8 * (width - 1):
            raise malformed("a length that is not the shortest")
    if len(data) < at + count:
        raise malformed("an element that ends too early")
    return Value(tag, data[at : at + count], data[: at + count]), data[at + count :]


def only(data: bytes, tag: int) -> Value:
    """The one element of `data`, of this tag, with nothing behind it. Raises Refusal."""
    one, rest = take(data)
    if one.tag != tag or rest:
        raise malformed("not one element of the expected kind")
    return one


def oid(text: str) -> bytes:
    """The content of an object identifier, such as 1.2.840.113549.1.7.2."""
    first, second, *rest = (int(part) for part in text.split("."))
    found = bytearray()
    for number in (first * 40 + second, *rest):
        septets = [number & 0x7F]
        while number := number >> 7:
            septets.append(number & 0x7F | 0x80)
        found += bytes(reversed(septets))
    return bytes(found)
