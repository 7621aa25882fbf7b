"""A token behind PKCS #11 (v2.40): prepared once, makes key pairs in itself and destroys them. By ctypes, nothing else.

Only what a keystore needs. Private keys are made in the token, sensitive and never extractable; signing with them is
OpenSSL's business (`openssl_engine.py`), over the same library in the same process.
"""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from firmware.core.errors import Unavailable
from firmware.core.vocabulary.certificates import KeyType

log = logging.getLogger("lintel.certificates")

Ulong = ctypes.c_ulong
OK, ALREADY_INITIALIZED, ALREADY_LOGGED_IN = 0x0, 0x191, 0x100
# What a token says that lacks the mechanism: CKR_MECHANISM_INVALID; or the question, CKR_FUNCTION_NOT_SUPPORTED.
NO_MECHANISM = (0x70, 0x54)
LOCKING = 0x2  # CKF_OS_LOCKING_OK
SERIAL, WRITES = 0x4, 0x2  # CKF_SERIAL_SESSION, CKF_RW_SESSION
OFFICER, USER = 0, 1
INITIALIZED = 0x400  # CKF_TOKEN_INITIALIZED
PRIVATE_CLASS, PUBLIC_CLASS = 3, 2
EC_PAIR, RSA_PAIR = 0x1040, 0x0  # CKM_EC_KEY_PAIR_GEN, CKM_RSA_PKCS_KEY_PAIR_GEN
CLASS, TOKEN, PRIVATE, LABEL, ID = 0x0, 0x1, 0x2, 0x3, 0x102
SENSITIVE, EXTRACTABLE, SIGN, VERIFY, EC_PARAMS = 0x103, 0x162, 0x108, 0x10A, 0x180
MODULUS_BITS, PUBLIC_EXPONENT = 0x121, 0x122
# The curves that a TPM makes, as object identifiers in DER (RFC 5480, 2.1.1.1).
CURVES: Mapping[KeyType, bytes] = {
    KeyType.EC_P256: bytes.fromhex("06082a8648ce3d030107"),
    KeyType.EC_P384: bytes.fromhex("06052b81040022"),
}
# The sizes that a TPM may make, in bits (TPM 2.0 library, part 1: 2048 always, more as the chip has it), and F4.
SIZES: Mapping[KeyType, int] = {KeyType.RSA_2048: 2048, KeyType.RSA_3072: 3072, KeyType.RSA_4096: 4096}
EXPONENT = bytes.fromhex("010001")
LABEL_BYTES = 32
MOST_SLOTS = 16
# What calls mean that go wrong most often, in words.
WORDS = {
    0x5: "the TPM does not answer", 0x30: "the TPM reports an error", 0x31: "no memory left in the TPM",
    0xA0: "the PIN is wrong",
    0xA4: "the PIN is locked", 0xE0: "no token there",
}  # fmt: skip


class InitializeArguments(ctypes.Structure):
    """CK_C_INITIALIZE_ARGS: several threads use the library."""

    _fields_ = [
        ("create", ctypes.c_void_p), ("destroy", ctypes.c_void_p), ("lock", ctypes.c_void_p),
        ("unlock", ctypes.c_void_p), ("flags", Ulong), ("reserved", ctypes.c_void_p),
    ]  # fmt: skip


class Attribute(ctypes.Structure):
    """CK_ATTRIBUTE."""

    _fields_ = [("type", Ulong), ("value", ctypes.c_void_p), ("size", Ulong)]


class Mechanism(ctypes.Structure):
    """CK_MECHANISM."""

    _fields_ = [("mechanism", Ulong), ("parameter", ctypes.c_void_p), ("size", Ulong)]


class MechanismInfo(ctypes.Structure):
    """CK_MECHANISM_INFO: sizes of keys are in bits."""

    _fields_ = [("least", Ulong), ("most", Ulong), ("flags", Ulong)]


class TokenInfo(ctypes.Structure):
    """CK_TOKEN_INFO, as far as its flags."""

    _fields_ = [
        ("label", ctypes.c_char * LABEL_BYTES), ("maker", ctypes.c_char * 32), ("model", ctypes.c_char * 16),
        ("serial", ctypes.c_char * 16), ("flags", Ulong), ("rest", ctypes.c_char * 256),
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pins:
    """What opens a token: for its user, and for the officer who prepares it."""

    user: str
    officer: str


class Token:
    """One token by its label; `open` prepares it where it is not there yet."""

    def __init__(self, module: str, label: str, pins: Pins) -> None:
        """Load the library `module`. Raises Unavailable."""
        try:
            self._library: Any = ctypes.CDLL(module)
        except OSError as error:
            raise Unavailable("keystore", f"the library of the token cannot be loaded: {error}") from None
        self.label = label
        self._pins = pins
        self._slot = Ulong(0)

    def open(self) -> None:
        """Find the token, or prepare a new one. Raises Unavailable."""
        arguments = InitializeArguments(flags=LOCKING)
        self._call("C_Initialize", ctypes.byref(arguments), also=(ALREADY_INITIALIZED,))
        slots = self._slots()
        for slot in slots:
            info = self._info(slot)
            if info.flags & INITIALIZED and info.label.decode(errors="replace").strip() == self.label:
                self._slot = slot
                return
        empty = next((slot for slot in slots if not self._info(slot).flags & INITIALIZED), None)
        if empty is None:
            raise Unavailable("keystore", "there is no room for another token")
        self._prepare(empty)

    def _slots(self) -> list[Ulong]:
        count, found = Ulong(MOST_SLOTS), (Ulong * MOST_SLOTS)()
        self._call("C_GetSlotList", ctypes.c_ubyte(1), found, ctypes.byref(count))
        return [Ulong(found[number]) for number in range(count.value)]

    def _info(self, slot: Ulong) -> TokenInfo:
        info = TokenInfo()
        self._call("C_GetTokenInfo", slot, ctypes.byref(info))
        return info

    def _prepare(self, slot: Ulong) -> None:
        officer, user = self._pins.officer.encode(), self._pins.user.encode()
        label = self.label.encode().ljust(LABEL_BYTES)
        self._call("C_InitToken", slot, officer, Ulong(len(officer)), label)
        # The library counts tokens anew: ours is the one with our label.
        self._slot = next(each for each in self._slots() if self._info(each).label.decode().strip() == self.label)
        with self._session(OFFICER, officer) as session:
            self._call("C_InitPIN", session, user, Ulong(len(user)))

    def kinds(self) -> frozenset[KeyType]:
        """The kinds of keys that the token makes: curves always, RSA as far as it says so. Raises Unavailable."""
        info = MechanismInfo()
        # One that knows no RSA is no reason to go without its curves; whoever cannot answer is no such token.
        asked = (self._slot, Ulong(RSA_PAIR), ctypes.byref(info))
        if self._call("C_GetMechanismInfo", *asked, also=NO_MECHANISM) in NO_MECHANISM:
            log.warning("the TPM makes no RSA keys, they are kept in the file")
            return frozenset(CURVES)
        return frozenset(CURVES) | {kind for kind, bits in SIZES.items() if info.least <= bits <= info.most}

    def make(self, name: str, kind: KeyType) -> None:
        """A new key pair under that name; RSA takes seconds, or minutes on some chips. Raises Unavailable."""
        label, true, false = name.encode(), b"\1", b"\0"
        if kind in CURVES:
            pair, shape = EC_PAIR, {EC_PARAMS: CURVES[kind]}
        else:
            pair, shape = RSA_PAIR, {MODULUS_BITS: bytes(Ulong(SIZES[kind])), PUBLIC_EXPONENT: EXPONENT}
        public = attributes({TOKEN: true, VERIFY: true, **shape, LABEL: label, ID: label})
        secret = attributes(
            {TOKEN: true, PRIVATE: true, SENSITIVE: true, EXTRACTABLE: false, SIGN: true, LABEL: label, ID: label}
        )
        mechanism, keys = Mechanism(pair, None, 0), (Ulong(), Ulong())
        with self._session(USER, self._pins.user.encode()) as session:
            self._call(
                "C_GenerateKeyPair", session, ctypes.byref(mechanism), public, Ulong(len(public)), secret,
                Ulong(len(secret)), ctypes.byref(keys[0]), ctypes.byref(keys[1]),
            )  # fmt: skip

    def destroy(self, name: str) -> None:
        """Whatever is kept under that name is gone; harmless when there is nothing. Raises Unavailable."""
        with self._session(USER, self._pins.user.encode()) as session:
            for kind in (PRIVATE_CLASS, PUBLIC_CLASS):
                for key in self._find(session, {CLASS: bytes(Ulong(kind)), LABEL: name.encode()}):
                    self._call("C_DestroyObject", session, key)

    def has(self, name: str) -> bool:
        """Whether there is a private key of that name. Raises Unavailable."""
        with self._session(USER, self._pins.user.encode()) as session:
            return bool(self._find(session, {CLASS: bytes(Ulong(PRIVATE_CLASS)), LABEL: name.encode()}))

    def _find(self, session: Ulong, wanted: Mapping[int, bytes]) -> list[Ulong]:
        template = attributes(wanted)
        self._call("C_FindObjectsInit", session, template, Ulong(len(template)))
        try:
            found, count = (Ulong * 8)(), Ulong()
            self._call("C_FindObjects", session, found, Ulong(len(found)), ctypes.byref(count))
            return [Ulong(found[number]) for number in range(count.value)]
        finally:
            self._call("C_FindObjectsFinal", session)

    @contextmanager
    def _session(self, who: int, pin: bytes) -> Iterator[Ulong]:
        session = Ulong()
        self._call("C_OpenSession", self._slot, Ulong(SERIAL | WRITES), None, None, ctypes.byref(session))
        try:
            self._call("C_Login", session, Ulong(who), pin, Ulong(len(pin)), also=(ALREADY_LOGGED_IN,))
            yield session
            if who == OFFICER:  # the user stays: OpenSSL signs in the same log-in
                self._call("C_Logout", session)
        finally:
            self._call("C_CloseSession", session)

    def _call(self, name: str, *arguments: object, also: Sequence[int] = ()) -> int:
        """Call it; returns OK, or its answer where that is in `also`. Raises Unavailable for any other answer."""
        function: Callable[..., int] = getattr(self._library, name)
        function.restype = Ulong  # type: ignore[attr-defined]
        if (value := function(*arguments)) not in (OK, *also):
            raise Unavailable("keystore", f"{WORDS.get(value, 'the token refuses')} ({name} answered {value:#x})")
        return value


def attributes(wanted: Mapping[int, bytes]) -> ctypes.Array[Attribute]:
    """A template; the values live as long as it does."""
    made = (Attribute * len(wanted))()
    made.kept = [ctypes.create_string_buffer(value, len(value)) for value in wanted.values()]  # type: ignore[attr-defined]
    for entry, kind, buffer in zip(made, wanted, made.kept, strict=True):  # type: ignore[attr-defined]
        entry.type, entry.value, entry.size = kind, ctypes.cast(buffer, ctypes.c_void_p), len(buffer)
    return made
