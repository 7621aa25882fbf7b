"""WS-Discovery: hello, probes by types and scopes, resolve, bye; XML of strangers is read with care."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.core.errors import Invalid
from firmware.interfaces.discovery import wsd
from firmware.interfaces.discovery.portrait import Portrait
from firmware.interfaces.discovery.post import Post
from firmware.interfaces.discovery.ration import FACTOR, OVERHEAD_BYTES
from firmware.interfaces.discovery.wsd import BY_PATH, EXACTLY, WITHOUT, fits, is_scope
from firmware.interfaces.vapix.xml import Element, parse
from hal.sim.time import VirtualClock, virtual_run
from tests.unit.discovery.wire import ASKER, PORTRAIT, Wire, chance

ME = f"urn:uuid:{PORTRAIT.uuid}"
VIDEO = 'xmlns:x="http://www.onvif.org/ver10/network/wsdl">x:NetworkVideoTransmitter'
WINDOWS = 'xmlns:x="http://schemas.xmlsoap.org/ws/2006/02/devprof">x:Device'
BARE = ">NetworkVideoTransmitter"


def envelope(body: str, message_id: str = "urn:uuid:1") -> bytes:
    """A request."""
    return (
        f'<e:Envelope xmlns:e="{wsd.SOAP}" xmlns:w="{wsd.ADDRESSING}" xmlns:d="{wsd.DISCOVERY}"><e:Header>'
        f"<w:MessageID>{message_id}</w:MessageID><w:To>{wsd.TO_ALL}</w:To><w:Action>{wsd.DISCOVERY}/Probe</w:Action>"
        f"</e:Header><e:Body>{body}</e:Body></e:Envelope>"
    ).encode()


def probe(types: str = "", scopes: str = "", rule: str = "", padding: int = 600) -> bytes:
    """A probe for types and scopes, as long as programs send them."""
    by = f' MatchBy="{rule}"' if rule else ""
    asked = f"<d:Types {types}</d:Types>" if types else ""
    asked += f"<d:Scopes{by}>{scopes}</d:Scopes>" if scopes or rule else ""
    return envelope(f"<d:Probe>{asked}</d:Probe><!--{'-x' * (padding // 2)}-->")


def joined(wire: Wire, portrait: Portrait = PORTRAIT) -> tuple[str, Post, wsd.WsDiscovery]:
    """A device on the wire."""
    post = wire.post(portrait.address)
    return portrait.address, post, wsd.WsDiscovery(portrait, post, wire.clock, chance(), 42)


def answers(data: bytes) -> list[bytes]:
    """What a request is answered with."""
    found: list[bytes] = []

    async def main(clock: VirtualClock) -> None:
        wire = Wire(clock, wsd.GROUP)
        async with wire.running(joined(wire)):
            await clock.sleep(2)
            wire.put(data)
            await clock.sleep(1)
            found.extend(wire.to(ASKER))

    virtual_run(main)
    return found


def body_of(data: bytes) -> Element:
    """The first element of the body."""
    body = parse(data).child("Body")
    assert body is not None
    return body.children[0]


def test_a_device_says_hello_twice_and_bye() -> None:
    async def main(clock: VirtualClock) -> None:
        wire = Wire(clock, wsd.GROUP)
        async with wire.running(joined(wire)):
            await clock.sleep(2)
        kinds = [body_of(data).name for data in wire.to_all()]
        assert kinds == ["Hello", "Hello", "Bye"]
        hello = body_of(wire.to_all()[0])
        assert hello.words("XAddrs") == "http://192.168.0.90:8080/onvif/device_service"
        assert "onvif://www.onvif.org/name/Front%20door" in hello.words("Scopes").split()

    virtual_run(main)


@pytest.mark.parametrize("types", ["", VIDEO])
def test_a_probe_is_answered_with_types_scopes_and_address(types: str) -> None:
    (answer,) = answers(probe(types))
    matches = body_of(answer)
    match = matches.child("ProbeMatch")
    assert (matches.name, match is not None) == ("ProbeMatches", True)
    assert match is not None
    assert match.words("Types").split() == ["dn:NetworkVideoTransmitter", "tds:Device"]
    assert match.words("XAddrs") == "http://192.168.0.90:8080/onvif/device_service"
    header = parse(answer).child("Header")
    assert header is not None
    assert header.words("RelatesTo") == "urn:uuid:1"


@pytest.mark.parametrize("types", [WINDOWS, BARE, f"{VIDEO} x:Other", 'xmlns:y="y">z:NetworkVideoTransmitter'])
def test_a_probe_for_something_else_gets_no_answer(types: str) -> None:
    assert answers(probe(types)) == []


@pytest.mark.parametrize(
    ("scopes", "rule", "found"),
    [
        ("onvif://www.onvif.org/type", "", True),
        ("onvif://www.onvif.org/type onvif://www.onvif.org/hardware", "", True),
        ("ONVIF://WWW.onvif.org/hardware/LINTEL-DS1", BY_PATH, True),
        ("onvif://www.onvif.org/hard", "", False),
        ("onvif://www.onvif.org/location/cellar", "", False),
        ("onvif://www.onvif.org/hardware", EXACTLY, False),
        ("onvif://www.onvif.org/hardware/LINTEL-DS1", EXACTLY, True),
        ("", WITHOUT, False),
        ("onvif://www.onvif.org/type", "urn:a-rule-of-somebody", False),
    ],
)
def test_a_probe_for_scopes_finds_the_device_by_the_rule_it_names(scopes: str, rule: str, found: bool) -> None:
    assert bool(answers(probe(scopes=scopes, rule=rule))) is found


def test_resolve_answers_for_this_device_alone() -> None:
    def resolve(address: str) -> bytes:
        return envelope(
            f"<d:Resolve><w:EndpointReference><w:Address>{address}</w:Address></w:EndpointReference></d:Resolve>"
            f"<!--{'x' * 600}-->"
        )

    (answer,) = answers(resolve(ME))
    assert body_of(answer).name == "ResolveMatches"
    assert answers(resolve("urn:uuid:somebody-else")) == []


def test_row_50_a_short_probe_gets_a_short_answer_and_a_shorter_one_none() -> None:
    long, shorter, short = probe(padding=900), probe(padding=130), probe(padding=70)
    (full,), (brief,), (bare,) = answers(long), answers(shorter), answers(short)
    assert "video_encoder" in full.decode()
    assert "video_encoder" not in brief.decode()
    assert "hardware" in brief.decode()
    assert "hardware" not in bare.decode()
    assert answers(probe(padding=0)) == []
    for asked, answer in ((long, full), (shorter, brief), (short, bare)):
        assert body_of(answer).children[0].words("XAddrs") == "http://192.168.0.90:8080/onvif/device_service"
        assert len(answer) + OVERHEAD_BYTES <= FACTOR * (len(asked) + OVERHEAD_BYTES)


def test_row_50_what_is_reflected_of_a_request_is_small_and_harmless() -> None:
    (answer,) = answers(envelope(f"<d:Probe/><!--{'x' * 900}-->", "&lt;a&gt;&amp;"))
    header = parse(answer).child("Header")
    assert header is not None
    assert header.words("RelatesTo") == "<a>&"
    assert answers(envelope(f"<d:Probe/><!--{'x' * 900}-->", "x" * 300)) == []


@pytest.mark.parametrize(
    "data",
    [
        b"", b"<a/>", envelope(""), envelope("<d:Hello/>"), envelope("<d:Probe/>", ""), b"<!DOCTYPE x []>" + probe(),
        probe().replace(b"2003/05", b"1999/05"), envelope("<x:Probe xmlns:x='urn:other'/>"),
        probe(scopes="a " * 40), envelope("<d:a>" * 70 + "</d:a>" * 70),
    ],
)  # fmt: skip
def test_row_50_what_is_no_probe_of_ours_gets_no_answer(data: bytes) -> None:
    assert answers(data + b" " * 1000) == []


class Deaf(Post):
    """A post that sends nothing."""

    def __init__(self) -> None:
        self.answered = 0

    def answer(self, *_: object) -> None:  # type: ignore[override]
        """Only counted."""
        self.answered += 1


@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda text: envelope(text)))
def test_row_50_anything_at_all_is_read_or_refused(data: bytes) -> None:
    post = Deaf()
    engine = wsd.WsDiscovery(PORTRAIT, post, VirtualClock, chance(), 1)  # type: ignore[arg-type]
    try:
        engine.heard(data, ASKER)
    except Invalid:
        assert post.answered == 0


SEGMENT = st.text("abc", min_size=1, max_size=3)


@given(st.lists(SEGMENT, max_size=4), st.lists(SEGMENT, max_size=4))
def test_a_scope_is_below_another_exactly_when_its_segments_begin_with_the_others(
    path: list[str], more: list[str]
) -> None:
    one, below = "/".join(["onvif://host", *path]), "/".join(["onvif://host", *path, *more])
    assert is_scope(below, one)
    assert is_scope(one, below) is (not more)
    assert not is_scope("onvif://other/" + "/".join(path), one)


def test_a_scope_that_is_no_address_fits_nothing() -> None:
    assert not fits(("onvif://[broken",), ("onvif://[broken",), BY_PATH)
