"""The description of the event stream (SDP, RFC 8866). Pure."""

from __future__ import annotations

from firmware.interfaces.rtsp.rtp import CLOCK_HZ, PAYLOAD_TYPE
from firmware.interfaces.rtsp.target import Target


def description(target: Target, local: str, number: int) -> bytes:
    """One track of events; its address is absolute, because older clients know no other.

    `local` is the address the client reached; `number` tells one description from another.
    """
    family, nowhere = ("IP6", "::") if ":" in local else ("IP4", "0.0.0.0")
    lines = (
        "v=0",
        f"o=- {number} 1 IN {family} {local.partition('%')[0]}",
        "s=Events",
        f"c=IN {family} {nowhere}",
        "t=0 0",
        "a=range:npt=now-",
        f"a=control:{target.stream}",
        f"m=application 0 RTP/AVP {PAYLOAD_TYPE}",
        f"a=rtpmap:{PAYLOAD_TYPE} vnd.onvif.metadata/{CLOCK_HZ}",
        "a=sendonly",
        f"a=control:{target.track}",
        "",
    )
    return "\r\n".join(lines).encode()
