"""The secure channel: key derivation, proofs, the chain of MACs, encryption. AES-128 throughout.

Source: OSDP 2.2, Annex D; test vectors Annex E.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from hal.osdp.check import check_bytes
from hal.osdp.codes import DATA_TYPES, MAC_BYTES, Scs
from hal.osdp.frame import Frame, unchecked

BLOCK = 16
ONES = (1 << 128) - 1
NONCE_BYTES = 8


class Aes:
    """AES-128 of single blocks with one key, kept ready: a context costs more than a block."""

    __slots__ = ("_decrypt", "_encrypt")

    def __init__(self, key: bytes) -> None:
        cipher = Cipher(algorithms.AES128(key), modes.ECB())
        self._encrypt = cipher.encryptor().update
        self._decrypt = cipher.decryptor().update

    def block(self, data: bytes) -> bytes:
        """Encrypt whole blocks, each for itself."""
        return self._encrypt(data)

    def cbc(self, start: int, data: bytes) -> bytes:
        """Encrypt whole blocks, chained from `start`."""
        done = []
        last = start
        for at in range(0, len(data), BLOCK):
            last ^= int.from_bytes(data[at : at + BLOCK], "big")
            sealed = self._encrypt(last.to_bytes(BLOCK, "big"))
            last = int.from_bytes(sealed, "big")
            done.append(sealed)
        return b"".join(done)

    def uncbc(self, start: int, data: bytes) -> bytes:
        """Decrypt whole blocks chained from `start`."""
        before = start.to_bytes(BLOCK, "big") + data[:-BLOCK]
        plain = int.from_bytes(self._decrypt(data), "big") ^ int.from_bytes(before, "big")
        return plain.to_bytes(len(data), "big")


def padded(data: bytes) -> bytes:
    """`data` filled up to whole blocks with 80 00.., at least one byte."""
    return data + b"\x80" + bytes(-(len(data) + 1) % BLOCK)


def unpadded(data: bytes) -> bytes | None:
    """The data before the padding, None when there is no padding."""
    end = data.rstrip(b"\0")
    return end[:-1] if end.endswith(b"\x80") else None


def derived(base: Aes, tag: int, random_a: bytes) -> bytes:
    """A session key: the base key encrypts 01, the tag, 6 bytes of the panel's nonce, zeros."""
    return base.block(bytes((0x01, tag)) + random_a[:6] + bytes(8))


@dataclass(frozen=True, slots=True)
class Proofs:
    """What both ends compute from base key and nonces: the proofs and the first reply MAC."""

    client: bytes
    server: bytes
    rmac_i: bytes


class Session:
    """One secure channel. Both ends use the same class; the direction is told by the frame's reply bit.

    `seal` and `open` each move the chain of MACs by one message: call them once for each message, and repeat a
    lost message by repeating its bytes.
    """

    def __init__(self, key: bytes, random_a: bytes, random_b: bytes) -> None:
        base = Aes(key)
        self._enc = Aes(derived(base, 0x82, random_a))
        self._mac1 = Aes(derived(base, 0x01, random_a))
        self._mac2 = Aes(derived(base, 0x02, random_a))
        client = self._enc.cbc(0, random_a + random_b)
        server = self._enc.cbc(0, random_b + random_a)
        self.proofs = Proofs(client, server, self._mac2.block(self._mac1.block(server)))
        self._command_mac = b""
        self._reply_mac = self.proofs.rmac_i

    def mac(self, start: bytes, data: bytes) -> bytes:
        """The MAC of a message: S-MAC1 for all blocks but the last, S-MAC2 for the last."""
        if len(data) % BLOCK:
            data = padded(data)
        last = int.from_bytes(start, "big")
        end = len(data) - BLOCK
        if end:
            last = int.from_bytes(self._mac1.cbc(last, data[:end])[-BLOCK:], "big")
        last ^= int.from_bytes(data[end:], "big")
        return self._mac2.block(last.to_bytes(BLOCK, "big"))

    def seal(self, frame: Frame) -> bytes:
        """The bytes of a message inside the channel; data, if any, is encrypted. Moves the chain."""
        other = self._command_mac if frame.reply else self._reply_mac
        data = frame.data
        if data:
            block = Scs.REPLY_DATA if frame.reply else Scs.COMMAND_DATA
            data = self._enc.cbc(int.from_bytes(other, "big") ^ ONES, padded(data))
        else:
            block = Scs.REPLY_MAC if frame.reply else Scs.COMMAND_MAC
        body = unchecked(replace(frame, data=data, block=block, block_data=b"", crc=True))
        mac = self.mac(other, body)
        self._keep(frame.reply, mac)
        body += mac[:MAC_BYTES]
        return body + check_bytes(body, crc=True)

    def open(self, frame: Frame) -> bytes | None:
        """The clear data of a received message, None when it is not genuine; then the chain stays where it was."""
        other = self._command_mac if frame.reply else self._reply_mac
        ours = (Scs.REPLY_MAC, Scs.REPLY_DATA) if frame.reply else (Scs.COMMAND_MAC, Scs.COMMAND_DATA)
        if frame.block not in ours or not frame.crc or not frame.mac or len(other) != BLOCK:
            return None
        mac = self.mac(other, frame.raw[: -2 - MAC_BYTES])
        if not hmac.compare_digest(mac[:MAC_BYTES], frame.mac):
            return None
        data: bytes | None = frame.data
        if frame.block in DATA_TYPES:
            if len(frame.data) % BLOCK:
                return None
            data = unpadded(self._enc.uncbc(int.from_bytes(other, "big") ^ ONES, frame.data)) if frame.data else b""
        if data is not None:
            self._keep(frame.reply, mac)
        return data

    def _keep(self, reply: bool, mac: bytes) -> None:
        if reply:
            self._reply_mac = mac
        else:
            self._command_mac = mac


def same(one: bytes, other: bytes) -> bool:
    """Compare proofs in constant time."""
    return hmac.compare_digest(one, other)
