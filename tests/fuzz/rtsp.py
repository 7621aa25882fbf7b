"""What is fuzzed of RTSP: everything that a client sends before anybody has asked who it is."""

from __future__ import annotations

from contextlib import suppress

from firmware.core.errors import Invalid, NotFound
from firmware.interfaces.rtsp.carriage import LEAST_PORT, MOST_PORT, Udp, choose
from firmware.interfaces.rtsp.description import description
from firmware.interfaces.rtsp.message import (
    MOST_BODY_BYTES,
    MOST_HEAD_BYTES,
    Frame,
    Malformed,
    Parser,
    Request,
    refused,
)
from firmware.interfaces.rtsp.rtp import is_report
from firmware.interfaces.rtsp.target import read_target

PEER = "192.0.2.7"


def rtsp(data: bytes) -> None:
    """A connection's bytes in two pieces: requests, their addresses and headers, and packets between them."""
    parser = Parser()
    for piece in (data[: len(data) // 2], data[len(data) // 2 :]):
        parser.feed(piece)
        try:
            while (message := parser.take()) is not None:
                _message(message)
        except Malformed as error:
            refused(error.status, error.why).packed("")
            return
    assert parser.size <= MOST_HEAD_BYTES + MOST_BODY_BYTES + 4


def _message(message: Request | Frame) -> None:
    """What a conversation reads of one message."""
    if isinstance(message, Frame):
        is_report(message.data)
        return
    answer = refused(551, "no", [("Unsupported", message.header("require"))]).packed(message.cseq)
    assert answer.count(b"\r\n\r\n") == 1, "a header of the client ends the answer early"
    chosen = choose(message.header("transport"), PEER)
    if isinstance(chosen, Udp):
        assert LEAST_PORT <= min(chosen.rtp, chosen.rtcp) <= MOST_PORT
    with suppress(Invalid, NotFound):
        target = read_target(message.target)
        assert read_target(target.track).path == target.path
        assert description(target, "192.0.2.1", 1).count(b"m=application ") == 1
        target.check()
        target.wanted()
