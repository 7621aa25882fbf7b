"""Frames in words, one line each, and with nothing from which a key could be learned.

Masked are the data of KEYSET (in clear or encrypted: who learns the old key would learn the new one) and every proof
of the handshake (CCRYPT, SCRYPT, RMAC_I: with them keys can be guessed off line), and the keys of a PIN. The check is
made to fit again.
"""

from __future__ import annotations

from hal.osdp.check import check_bytes
from hal.osdp.codes import CONFIG_ADDRESS, LONGEST_FRAME, CommandCode, ReplyCode, Scs, nak_text
from hal.osdp.commands import KeySet, Scrypt, decode_command
from hal.osdp.frame import Frame, Trouble, parse
from hal.osdp.payload import Malformed, Payload
from hal.osdp.replies import CCrypt, Keypad, Nak, PdCap, Raw, RMacI, decode_reply

# How many data bytes stay visible.
COMMAND_MASKS = {CommandCode.KEYSET: 0, CommandCode.SCRYPT: 0}
REPLY_MASKS = {ReplyCode.CCRYPT: 16, ReplyCode.RMAC_I: 0, ReplyCode.KEYPAD: 2}


def name_of(code: int, *, reply: bool) -> str:
    """The standard's name of a code."""
    try:
        return ReplyCode(code).name if reply else CommandCode(code).name
    except ValueError:
        return f"{'reply' if reply else 'command'} {code:02X}"


def mask(raw: bytes) -> bytes:
    """The frame with everything secret zeroed and its check made anew; what is no frame is zeroed whole."""
    frame = parse(raw) if 8 <= len(raw) <= LONGEST_FRAME or len(raw) == 7 else Trouble.LENGTH
    if not isinstance(frame, Frame):
        return bytes(len(raw))
    masks: dict[int, int] = {int(k): v for k, v in (REPLY_MASKS if frame.reply else COMMAND_MASKS).items()}
    if frame.code not in masks:
        return raw
    end = len(raw) - (2 if frame.crc else 1)
    start = end - len(frame.mac) - len(frame.data) + masks[frame.code]
    body = raw[:start] + bytes(max(0, end - start))
    return body[:end] + check_bytes(body[:end], crc=frame.crc)


def describe(frame: Frame, data: bytes | None = None) -> str:
    """One line about a frame; `data` is its clear data when it was encrypted and could be read."""
    who = "all" if frame.address == CONFIG_ADDRESS else str(frame.address)
    arrow = f"{who} ->" if frame.reply else f"-> {who}"
    parts = [arrow, f"sqn {frame.sequence}", name_of(frame.code, reply=frame.reply)]
    hidden = frame.block in (Scs.COMMAND_DATA, Scs.REPLY_DATA) and data is None
    detail = "encrypted" if hidden else payload_text(frame, frame.data if data is None else data)
    if detail:
        parts.append(detail)
    if frame.block is not None:
        parts.append(f"[SCS {frame.block:02X}{' ' + frame.block_data.hex() if frame.block_data else ''}]")
    if not frame.crc:
        parts.append("[checksum]")
    return " ".join(parts)


def payload_text(frame: Frame, data: bytes) -> str:
    """The payload in words."""
    try:
        payload = decode_reply(frame.code, data) if frame.reply else decode_command(frame.code, data)
    except Malformed as error:
        return f"unreadable: {error}"
    return words(payload)


def words(payload: Payload) -> str:
    """A payload in words, without secrets."""
    match payload:
        case KeySet() | Scrypt() | RMacI():
            return "(masked)"
        case CCrypt(client=client, random=random):
            return f"client {client.hex()} random {random.hex()} (proof masked)"
        case Nak(reason=reason):
            return nak_text(reason)
        case Raw(bits=bits):
            return f"{len(bits)} bits {bits}"
        case Keypad(keys=keys):
            return f"{len(keys)} keys"
        case PdCap(capabilities=found):
            return " ".join(f"{c.function}:{c.level}/{c.count}" for c in found)
        case _:
            text = repr(payload)
            return text[text.index("(") + 1 : -1]
