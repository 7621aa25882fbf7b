"""Numbers of the protocol: command, reply and refusal codes, capabilities, security block types.

Source: OSDP 2.2 (IEC 60839-11-5), Annex A (commands, replies), B (capabilities), D (security blocks).
"""

from __future__ import annotations

from enum import IntEnum

SOM = 0x53
MARK = 0xFF
REPLY_BIT = 0x80
CONFIG_ADDRESS = 0x7F
LAST_ADDRESS = 126

CTRL_SQN = 0x03
CTRL_CRC = 0x04
CTRL_SCB = 0x08

HEADER = 5
MAC_BYTES = 4
# The longest message the standard allows, and the size every device must be able to take.
LONGEST_FRAME = 1440
SAFE_FRAME = 128

BAUDS = (9600, 19200, 38400, 57600, 115200, 230400)


class CommandCode(IntEnum):
    """What a panel may say."""

    POLL = 0x60
    ID = 0x61
    CAP = 0x62
    LSTAT = 0x64
    ISTAT = 0x65
    OSTAT = 0x66
    RSTAT = 0x67
    OUT = 0x68
    LED = 0x69
    BUZ = 0x6A
    TEXT = 0x6B
    RMODE = 0x6C
    TDSET = 0x6D
    COMSET = 0x6E
    BIOREAD = 0x73
    BIOMATCH = 0x74
    KEYSET = 0x75
    CHLNG = 0x76
    SCRYPT = 0x77
    ACURXSIZE = 0x7B
    FILETRANSFER = 0x7C
    MFG = 0x80
    XWR = 0xA1
    ABORT = 0xA2
    PIVDATA = 0xA3
    GENAUTH = 0xA4
    CRAUTH = 0xA5
    KEEPACTIVE = 0xA7


class ReplyCode(IntEnum):
    """What a peripheral may answer."""

    ACK = 0x40
    NAK = 0x41
    PDID = 0x45
    PDCAP = 0x46
    LSTATR = 0x48
    ISTATR = 0x49
    OSTATR = 0x4A
    RSTATR = 0x4B
    RAW = 0x50
    FMT = 0x51
    KEYPAD = 0x53
    COM = 0x54
    BIOREADR = 0x57
    BIOMATCHR = 0x58
    CCRYPT = 0x76
    RMAC_I = 0x78
    BUSY = 0x79
    FTSTAT = 0x7A
    PIVDATAR = 0x80
    GENAUTHR = 0x81
    CRAUTHR = 0x82
    MFGSTATR = 0x83
    MFGERRR = 0x84
    MFGREP = 0x90
    XRD = 0xB1


class NakCode(IntEnum):
    """Why a peripheral refuses a command."""

    CHECK = 0x01
    LENGTH = 0x02
    UNKNOWN = 0x03
    SEQUENCE = 0x04
    SECURITY = 0x05
    NOT_SECURE = 0x06
    BIO_TYPE = 0x07
    BIO_FORMAT = 0x08
    RECORD = 0x09


NAK_TEXTS = {
    NakCode.CHECK: "bad check characters",
    NakCode.LENGTH: "wrong command length",
    NakCode.UNKNOWN: "unknown command",
    NakCode.SEQUENCE: "unexpected sequence number",
    NakCode.SECURITY: "security block not supported",
    NakCode.NOT_SECURE: "a secure channel is required",
    NakCode.BIO_TYPE: "unknown biometric type",
    NakCode.BIO_FORMAT: "unknown biometric format",
    NakCode.RECORD: "command record cannot be processed",
}


def nak_text(code: int) -> str:
    """A refusal in words."""
    try:
        return NAK_TEXTS[NakCode(code)]
    except ValueError:
        return f"refusal {code}"


class CapabilityCode(IntEnum):
    """Functions a peripheral lists in PDCAP."""

    CONTACTS = 1
    OUTPUTS = 2
    CARD_FORMAT = 3
    LEDS = 4
    AUDIBLE = 5
    TEXT = 6
    TIME = 7
    CHECK = 8
    SECURITY = 9
    RECEIVE_SIZE = 10
    MESSAGE_SIZE = 11
    SMART_CARD = 12
    READERS = 13
    BIOMETRICS = 14
    SECURE_PIN = 15
    VERSION = 16


class Scs(IntEnum):
    """Security block types."""

    CHALLENGE = 0x11
    CHALLENGE_REPLY = 0x12
    CRYPTOGRAM = 0x13
    CRYPTOGRAM_REPLY = 0x14
    COMMAND_MAC = 0x15
    REPLY_MAC = 0x16
    COMMAND_DATA = 0x17
    REPLY_DATA = 0x18


MAC_TYPES = frozenset({Scs.COMMAND_MAC, Scs.REPLY_MAC, Scs.COMMAND_DATA, Scs.REPLY_DATA})
DATA_TYPES = frozenset({Scs.COMMAND_DATA, Scs.REPLY_DATA})
