"""The two checks at the end of a frame. Source: OSDP 2.2, 5.9 and Annex C."""

from __future__ import annotations

from binascii import crc_hqx

CRC_START = 0x1D0F


def crc16(data: bytes) -> int:
    """CRC-16, polynomial 1021, start 1D0F, most significant bit first; sent low byte first."""
    return crc_hqx(data, CRC_START)


def checksum(data: bytes) -> int:
    """Two's complement of the sum of all bytes, 8 bits."""
    return -sum(data) & 0xFF


def check_bytes(data: bytes, *, crc: bool) -> bytes:
    """The check characters to append to `data`."""
    return crc_hqx(data, CRC_START).to_bytes(2, "little") if crc else bytes((checksum(data),))
