"""Events over RTSP: who gets them, in which order, in what packets, and how clients that misbehave end."""

from __future__ import annotations

import asyncio
import struct
from base64 import b64encode
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

import httpx

from firmware.core.vocabulary.access import DoorState, Position
from firmware.core.vocabulary.io import RelayChanged
from firmware.interfaces.http.limits import Limits
from firmware.interfaces.rtsp.limits import STREAMS_OF_A_PLACE
from tests.unit.face.conftest import ADMIN, BASE, HERE
from tests.unit.face.rtsp_client import EVENTS, TCP, URL, Client, Heard, Server, digest, read_event

Play = Callable[..., None]
VIEWER = ("vera", "viewer-pass")
AWAY = "192.0.2.7"


def served(play: Play, test: Callable[[Any, Server], Awaitable[None]], **how: Any) -> None:
    """Run a test on a face with an administrator, a viewer, and a server of RTSP."""

    async def main(face: Any) -> None:
        await face.set_up()
        await face.account(*VIEWER, "viewer")
        async with asyncio.TaskGroup() as group:
            server = Server(face, group, **how)
            await test(face, server)
            server.close()

    play(main)


def viewer(server: Server, **how: Any) -> Client:
    client = server.connect(**how)
    client.account = VIEWER
    return client


def door(position: Position) -> DoorState:
    return DoorState(door="front", released=False, position=position)


def relay(number: int, on: bool) -> RelayChanged:
    return RelayChanged(relay=f"relay{number}", alias="", on=on, why="test")


def test_states_come_first_as_they_are_and_then_a_door_that_opens(play: Play) -> None:
    async def test(face: Any, server: Server) -> None:
        face.bus.publish(door(Position.CLOSED))
        client = viewer(server)
        await client.play(f"{EVENTS}&eventtopic=tns1:Door/State/DoorPhysicalState")
        first = Heard("tns1:Door/State/DoorPhysicalState", "Initialized", {"DoorToken": "front"}, {"State": "Closed"})
        assert await client.heard() == [first]
        face.bus.publish(door(Position.OPEN))
        changed = Heard("tns1:Door/State/DoorPhysicalState", "Changed", {"DoorToken": "front"}, {"State": "Open"})
        assert await client.heard() == [first, changed]

    served(play, test)


def test_the_description_names_one_track_of_metadata_by_its_whole_address(play: Play) -> None:
    async def test(face: Any, server: Server) -> None:
        told = (await viewer(server).ask("DESCRIBE")).body.decode()
        track = f"a=control:{URL}/trackID=1?video=0&audio=0&event=on"
        assert "m=application 0 RTP/AVP 98\r\na=rtpmap:98 vnd.onvif.metadata/90000\r\n" in told
        assert told.endswith(f"{track}\r\n")
        assert "o=- 1 1 IN IP4 192.0.2.1\r\n" in told

    served(play, test)


def test_a_track_is_set_up_by_its_own_address_and_signed_with_that_of_the_stream(play: Play) -> None:
    async def test(face: Any, server: Server) -> None:
        client = viewer(server)
        setup = await client.ask("SETUP", f"{URL}/trackID=1?video=0&audio=0&event=on", Transport=TCP)
        assert setup.status == 200
        assert setup.headers["transport"].startswith("RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=")
        assert setup.headers["session"].endswith(";timeout=60")

    served(play, test)


def test_row_31_an_answer_signed_for_another_stream_is_refused_and_a_right_one_is_taken_once(play: Play) -> None:
    async def test(face: Any, server: Server) -> None:
        client = server.connect()
        challenge = (await client.once("DESCRIBE")).headers["www-authenticate"]
        assert challenge.startswith('Digest realm="')
        assert challenge.endswith("stale=FALSE")
        assert "qop" not in challenge
        other = digest(VIEWER, "DESCRIBE", "rtsp://elsewhere/axis-media/media.amp", challenge)
        assert (await client.once("DESCRIBE", Authorization=other)).status == 401
        right = digest(VIEWER, "DESCRIBE", EVENTS, challenge)
        assert (await client.once("DESCRIBE", Authorization=right)).status == 200
        again = await client.once("DESCRIBE", Authorization=right)
        assert (again.status, again.headers["www-authenticate"].endswith("stale=TRUE")) == (401, True)

    served(play, test)


def test_a_filter_that_is_none_is_said_and_an_address_without_events_is_not_found(play: Play) -> None:
    async def test(face: Any, server: Server) -> None:
        client = viewer(server)
        wrong = await client.ask("DESCRIBE", f"{EVENTS}&eventtopic=a%20b")
        assert (wrong.status, b"is no topic" in wrong.body) == (400, True)
        assert (await client.ask("DESCRIBE", URL)).status == 404
        missing = await client.ask("DESCRIBE", "rtsp://192.0.2.1/axis-media/media.mp4?event=on")
        assert (missing.status, b"/axis-media/media.amp?event=on" in missing.body) == (404, True)
        assert (await client.ask("DESCRIBE", "rtsp:///?event=on")).status == 400

    served(play, test)


def test_topic_and_content_are_filtered_together(play: Play) -> None:
    async def test(face: Any, server: Server) -> None:
        for number in range(3):
            face.bus.publish(relay(number, False))
        client = viewer(server)
        content = "boolean(//SimpleItem[@Name=%22RelayToken%22%20and%20@Value=%221%22])"
        await client.play(f"{EVENTS}&eventtopic=onvif:Device//.&eventcontent={content}")
        for number in range(3):
            face.bus.publish(relay(number, True))
        await client.heard()
        face.bus.publish(relay(1, False))
        heard = await client.heard()
        assert [(each.source["RelayToken"], each.change, each.data["LogicalState"]) for each in heard] == [
            ("1", "Initialized", "active"),  # it changed before its first notice was taken
            ("1", "Changed", "inactive"),
        ]

    served(play, test)


def test_a_long_document_goes_in_several_packets_and_the_last_one_is_marked(play: Play) -> None:
    async def test(face: Any, server: Server) -> None:
        face.bus.publish(DoorState(door="d" * 4000, released=False, position=Position.OPEN))
        client = viewer(server)
        await client.play(f"{EVENTS}&eventtopic=tns1:Door/State/DoorPhysicalState")
        assert [each.source["DoorToken"] for each in await client.heard()] == ["d" * 4000]
        packets = client.documents.packets
        assert len(packets) == 4
        assert [bool(packet[1] & 0x80) for packet in packets] == [False, False, False, True]
        assert max(map(len, packets)) <= 1412

    served(play, test)


def test_reports_come_every_five_seconds_and_tell_the_time_of_packets(play: Play) -> None:
    async def test(face: Any, server: Server) -> None:
        face.bus.publish(door(Position.CLOSED))
        client = viewer(server)
        session = await client.play(f"{EVENTS}&eventtopic=tns1:Door//.")
        await client.heard()
        for _ in range(4):
            await face.clock.sleep(5)
            await client.settle()
        client.read_packets()
        reports = [struct.unpack_from(">BBHIIIIII", report) for report in client.reports]
        assert [report[:3] for report in reports] == [(0x80, 200, 6)] * 5
        # Five seconds of the clock of packets, and of NTP.
        assert {after[6] - before[6] & 0xFFFFFFFF for before, after in pairwise(reports)} == {450_000}
        assert {after[4] - before[4] for before, after in pairwise(reports)} == {5}
        assert reports[-1][7] == len(client.documents.packets)
        assert (await client.once("TEARDOWN", Session=session)).status == 200
        await client.settle()
        client.read_packets()
        assert client.reports[-1][-8:-4] == bytes((0x81, 203, 0, 1))  # goodbye

    served(play, test)


def test_row_38_packets_over_udp_go_to_the_address_that_asked_and_to_no_other(play: Play) -> None:
    async def test(face: Any, server: Server) -> None:
        face.bus.publish(door(Position.CLOSED))
        client = viewer(server)
        for refused in (
            "RTP/AVP;unicast;destination=198.51.100.9;client_port=5000-5001",
            "RTP/AVP;unicast;client_port=53-54",
            "RTP/AVP;unicast;client_port=70000-70001",
            "RTP/AVP;unicast;client_port=5000-5000",
            "RTP/AVP;unicast",
            "RTP/AVP;multicast",
            "RTP/SAVP;unicast;client_port=5000-5001",
            "",
        ):
            assert (await client.ask("SETUP", Transport=refused)).status == 461, refused
        await client.play(transport=f"RTP/AVP;multicast,RTP/AVP;unicast;destination={AWAY};client_port=5000-5001")
        (way,) = server.ways
        assert (way.local[0], way.peer[0], way.ports.rtp, way.ports.rtcp) == ("192.0.2.1", AWAY, 5000, 5001)
        await client.settle()
        assert "tns1:Door/State/DoorPhysicalState" in [read_event(each[12:]).topic for each in way.packets]

    served(play, test)


def test_row_30_a_session_is_worth_nothing_on_another_connection_nor_to_another_account(play: Play) -> None:
    async def test(face: Any, server: Server) -> None:
        owner, thief = viewer(server), server.connect(port=40001)
        setup = await owner.ask("SETUP", Transport=TCP)
        thief.account = ADMIN
        for method in ("PLAY", "GET_PARAMETER", "TEARDOWN", "OPTIONS"):
            assert (await thief.ask(method, Session=setup.session)).status == 454, method
        owner.account = ADMIN
        assert (await owner.ask("PLAY", Session=setup.session)).status == 403
        owner.account = VIEWER
        assert (await owner.ask("PLAY", Session=setup.session)).status == 200

    served(play, test)


def test_keep_alive_needs_no_new_log_in_and_an_end_is_an_end(play: Play) -> None:
    async def test(face: Any, server: Server) -> None:
        client = viewer(server)
        session = await client.play()
        for method in ("OPTIONS", "GET_PARAMETER", "SET_PARAMETER"):
            assert (await client.once(method, Session=session)).status == 200
        assert (await client.once("GET_PARAMETER", body=b"packets_received\r\n", Session=session)).status == 451
        assert (await client.once("TEARDOWN", Session=session)).status == 200
        assert (await client.once("GET_PARAMETER", Session=session)).status == 454
        assert server.house.streams == 0
        face.bus.publish(door(Position.OPEN))
        before = len(await client.heard())
        face.bus.publish(door(Position.CLOSED))
        assert len(await client.heard()) == before

    served(play, test)


def test_row_32_silent_dripping_and_forgotten_connections_end(play: Play) -> None:
    async def test(face: Any, server: Server) -> None:
        silent, dripping, forgotten, kept, reports = (viewer(server, address=f"192.0.2.{n}") for n in range(10, 15))
        await forgotten.play()
        session = await kept.play()
        await reports.play()
        for second in range(130):
            if second < 9:
                dripping.send(b"O")
            if second % 50 == 0:
                assert (await kept.once("OPTIONS", Session=session)).status == 200
                reports.send(b"$\x01\x00\x08" + struct.pack(">BBHI", 0x80, 201, 1, 1))
                forgotten.send(b"$\x01\x00\x08" + bytes(8))  # not a report
            await face.clock.sleep(1)
            assert dripping.open is (second < 9), second
            assert silent.open is (second < 14), second
            assert forgotten.open is (second < 59), second
        await kept.settle()
        assert (kept.open, reports.open, server.house.streams) == (True, True, 2)
        assert server.house.gauge.total == 2

    served(play, test)


def test_row_45_a_client_that_takes_nothing_delays_nobody_and_is_ended(play: Play) -> None:
    async def test(face: Any, server: Server) -> None:
        stalled, quick = viewer(server), viewer(server, address="192.0.2.8")
        await stalled.play()
        await quick.play()
        stalled.transport.takes = False
        for number in range(100):
            face.bus.publish(door(Position.OPEN if number % 2 else Position.CLOSED))
            await quick.settle(10)
        heard = await quick.heard()
        states = [each.data["State"] for each in heard if each.topic.endswith("DoorPhysicalState")]
        assert len(states) == 100
        assert len(stalled.transport.out) < 40_000  # what waits for it is bounded
        await face.clock.sleep(19)
        assert stalled.open
        await face.clock.sleep(2)
        await quick.settle()
        assert (stalled.open, quick.open, server.house.streams) == (False, True, 1)

    served(play, test)


def test_row_45_a_client_that_was_slow_ends_at_the_truth(play: Play) -> None:
    async def test(face: Any, server: Server) -> None:
        slow = viewer(server)
        await slow.play(f"{EVENTS}&eventtopic=tns1:Door/State/DoorPhysicalState")
        slow.transport.takes = False
        for number in range(2001):
            face.bus.publish(door(Position.OPEN if number % 2 else Position.CLOSED))
        await slow.settle()
        slow.transport.takes = True
        for _ in range(10):
            slow.read_packets()
            slow._connection.resume_writing()
            await slow.settle()
        heard = await slow.heard()
        assert len(heard) < 2001
        assert heard[-1].data == {"State": "Closed"}
        assert slow.open

    served(play, test)


def test_row_30_guesses_over_rtsp_and_http_are_counted_together(play: Play) -> None:
    async def test(face: Any, server: Server) -> None:
        for port in range(2):
            guesser = server.connect(port=50000 + port)
            guesser.account = (VIEWER[0], "wrong")
            while guesser.open:
                await guesser.ask("DESCRIBE")
                await guesser.settle()
        late = viewer(server)
        told = await late.ask("DESCRIBE")
        assert (told.status, int(told.headers["retry-after"]) >= 1) == (503, True)
        await late.settle()
        assert not late.open
        async with face.client(httpx.DigestAuth(*VIEWER), address=AWAY) as client:
            assert (await client.get("/axis-cgi/usergroup.cgi")).status_code == 429
        elsewhere = viewer(server, address="198.51.100.3")
        assert (await elsewhere.ask("DESCRIBE")).status == 200
        failed = [event for event in face.events if event.topic == "security/login/failed"]
        assert {(event.via, event.page) for event in failed} == {("rtsp", "/axis-media/media.amp")}

    served(play, test)


def test_row_30_guesses_over_http_hold_up_rtsp(play: Play) -> None:
    async def test(face: Any, server: Server) -> None:
        async with face.client(
            httpx.BasicAuth(VIEWER[0], "wrong"), address=AWAY, base=BASE.replace("http", "https")
        ) as c:
            for _ in range(6):
                await c.get("/api/v1/device")
        assert (await viewer(server).ask("DESCRIBE")).status == 503

    served(play, test)


def test_row_30_a_connection_that_guesses_or_only_asks_is_closed(play: Play) -> None:
    async def test(face: Any, server: Server) -> None:
        guesser, asker = server.connect(), server.connect(address="192.0.2.9")
        challenge = (await guesser.once("DESCRIBE")).headers["www-authenticate"]
        guesses = 0
        while guesser.open:
            wrong = digest(("nobody", f"wrong{guesses}"), "DESCRIBE", EVENTS, challenge)
            assert (await guesser.once("DESCRIBE", Authorization=wrong)).status == 401
            guesses += 1
            await guesser.settle()
        assert guesses == 3
        questions = 0
        while asker.open:
            assert (await asker.once("DESCRIBE")).status == 401
            questions += 1
            await asker.settle()
        assert questions == 8

    served(play, test)


def test_a_password_as_it_is_comes_from_this_machine_only(play: Play) -> None:
    async def test(face: Any, server: Server) -> None:
        basic = f"Basic {b64encode(':'.join(VIEWER).encode()).decode()}"
        here = server.connect(address=HERE)
        assert (await here.once("DESCRIBE", Authorization=basic)).status == 200
        away = server.connect()
        refused = await away.once("DESCRIBE", Authorization=basic)
        assert refused.status == 401
        assert refused.headers["www-authenticate"].startswith("Digest")

    served(play, test)


def test_a_stream_ends_when_its_account_is_removed(play: Play) -> None:
    async def test(face: Any, server: Server) -> None:
        client = viewer(server)
        await client.play()
        async with face.client(ADMIN) as admin:
            body = {"name": VIEWER[0]}
            assert (await admin.post("/api/v1/actions/accounts.remove", json=body)).status_code == 200
        await client.settle()
        assert not client.open
        assert server.house.streams == 0

    served(play, test)


def test_anonymous_viewing_counts_for_events_and_ends_with_it(play: Play) -> None:
    async def test(face: Any, server: Server) -> None:
        client = server.connect()
        assert (await client.once("DESCRIBE")).status == 401
        async with face.client(ADMIN) as admin:
            for wanted in (True, False):
                answer = await admin.patch("/api/v1/params/accounts", json={"anonymous_viewing": wanted})
                assert answer.status_code == 200
                await client.settle()
                if wanted:
                    await client.play()
                    assert client.open
        await client.settle()
        assert not client.open

    served(play, test)


def test_row_32_connections_and_streams_are_few_and_whoever_only_waits_gives_way(play: Play) -> None:
    async def test(face: Any, server: Server) -> None:
        first = viewer(server, port=1)
        await first.play()
        waiting = [viewer(server, port=number) for number in range(2, 4)]
        newcomer = viewer(server, port=9)
        await newcomer.settle()
        assert [each.open for each in (first, *waiting, newcomer)] == [True, False, True, True]
        elsewhere = [viewer(server, address=f"198.51.100.{number}") for number in range(3)]
        await newcomer.settle()
        assert [each.open for each in elsewhere] == [True, True, True]
        assert server.house.gauge.total == 5

    served(play, test, limits=Limits(per_address=3, connections=5))


def test_row_32_one_address_has_so_many_streams_and_others_still_get_theirs(play: Play) -> None:
    async def test(face: Any, server: Server) -> None:
        greedy = [viewer(server, port=number) for number in range(STREAMS_OF_A_PLACE // 2 + 1)]
        for client in greedy[:-1]:
            await client.play()
            await client.play(transport="RTP/AVP/TCP;unicast;interleaved=2-3")
            assert (await client.ask("SETUP", Transport="RTP/AVP/TCP;unicast;interleaved=4-5")).status == 503
        assert (await greedy[-1].ask("SETUP", Transport=TCP)).status == 503
        await viewer(server, address="198.51.100.3").play()
        assert (await greedy[0].ask("SETUP", Transport=TCP)).status == 461  # its channels are taken

    served(play, test)


def test_an_extension_that_is_required_and_unknown_is_named(play: Play) -> None:
    async def test(face: Any, server: Server) -> None:
        told = await viewer(server).once("OPTIONS", Require="onvif-replay")
        assert (told.status, told.headers["unsupported"]) == (551, "onvif-replay")

    served(play, test)


def test_what_is_no_rtsp_is_told_so_and_ended(play: Play) -> None:
    async def test(face: Any, server: Server) -> None:
        for sent, status in (
            (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            (b"OPTIONS * RTSP/2.0\r\nCSeq: 1\r\n\r\n", 505),
            (b"OPTIONS * RTSP/1.0\r\n\r\n", 400),
            (b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 5000\r\n\r\n", 413),
            (b"OPTIONS * RTSP/1.0\r\nX: " + b"x" * 9000, 413),
            (b"$\x00\xff\xff", 413),
        ):
            client = server.connect()
            client.send(sent)
            assert (await client.reply()).status == status, sent
            await client.settle()
            assert not client.open, sent

    served(play, test)
