"""Digest access authentication, the server's half (RFC 7616): fields, responses, nonces. No I/O.

A nonce is its own time and a keyed code, so only used ones take memory. A count (`nc`) may jump or come
late, but a value seen once for its nonce is never taken again (docs: hardening row 31). Older clients send no
count (RFC 2069): of these each response is taken once.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

from firmware.core.vocabulary.security import may_be_kept

WINDOW = 1024
LIFETIME_S = 300.0
_LIFETIME_NS = int(LIFETIME_S * 1e9)
_ALL_COUNTS = (1 << WINDOW) - 1
NONCES = 1024
MAX_FIELDS_CHARS = 2048
NEEDED = frozenset({"username", "realm", "nonce", "uri", "response"})

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_FIELD = re.compile(rf'\s*({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}))\s*(?:,|$)')
# What repeats one kind of character is possessive, and there is one way to read what is between: no text of a stranger
# is read twice (hardening row 35). What repeats more than that is not: Python before 3.11.5 goes on behind a last round
# that did not match (CPython's issue 106052; Debian 12 has 3.11.2), and takes what is no list of fields.
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*"'
_FIELDS = re.compile(rf"(?:\s*+{_TOKEN}+\s*+=\s*+(?:{_STRING}|{_TOKEN}+)\s*+(?:,|$))*")
# The answer as nearly every client writes it: each field once, in any order. Nothing is escaped in it: `read_usual` has
# looked.
_QUOTED = r'"([^"]*+)"'
_USUAL_FIELDS = {
    **dict.fromkeys(("username", "realm", "nonce", "uri", "response", "cnonce"), _QUOTED),
    "nc": r"([0-9a-fA-F]{8})",
    "qop": r'(auth|"auth")',
    "algorithm": r"([A-Za-z0-9-]++)",
}
_USUAL = re.compile(
    r"(?:\s*+(?:"
    + "|".join(f"{name}=(?({at})(?!)|{value})" for at, (name, value) in enumerate(_USUAL_FIELDS.items(), 1))
    + r")\s*+(?:,|$))+"
)
_ESCAPED = re.compile(r"\\(.)")
_HEX = re.compile(r"[0-9a-fA-F]+")


class Algorithm(StrEnum):
    """Hashes offered, the preferred one first."""

    SHA256 = "SHA-256"
    MD5 = "MD5"


_ALGORITHMS = {each.value: each for each in Algorithm}


def digest(algorithm: Algorithm, text: str) -> str:
    """H(text) as lower-case hex."""
    if algorithm is Algorithm.SHA256:
        return hashlib.sha256(text.encode()).hexdigest()
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def ha1(algorithm: Algorithm, name: str, realm: str, password: str) -> str:
    """H(name:realm:password): all that a server needs to keep, and as good as the password to whoever reads it."""
    return digest(algorithm, f"{name}:{realm}:{password}")


def _ha2(algorithm: Algorithm, method: str, uri: str) -> str:
    """H(method:uri)"""
    return digest(algorithm, f"{method}:{uri}")


# Programs ask the same few things again and again.
_known_ha2 = lru_cache(256)(_ha2)


@dataclass(slots=True)
class Answer:
    """The fields of an Authorization header of scheme Digest; without `qop` the count `nc` is empty.

    It stays in this room, and is made for every request: a frozen one takes five times as long to make.
    """

    name: str
    realm: str
    nonce: str
    uri: str
    response: str = field(repr=False)
    algorithm: Algorithm
    cnonce: str
    nc: str

    def expected(self, secret: str, method: str) -> str:
        """The response that the right `secret` (HA1) gives for this request."""
        ha2 = (_known_ha2 if may_be_kept(self.uri) else _ha2)(self.algorithm, method, self.uri)
        if not self.nc:
            return digest(self.algorithm, f"{secret}:{self.nonce}:{ha2}")
        return digest(self.algorithm, f"{secret}:{self.nonce}:{self.nc}:{self.cnonce}:auth:{ha2}")


def read_fields(text: str) -> dict[str, str] | None:
    """`name=value` pairs after the scheme's name, names in lower case (RFC 9110, 11.2); None when they are not that."""
    if len(text) > MAX_FIELDS_CHARS or not _FIELDS.fullmatch(text):
        return None
    found: dict[str, str] = {}
    for name, quoted, token in _FIELD.findall(text):
        name = name.lower()
        if name in found:
            return None
        found[name] = token or (_ESCAPED.sub(r"\1", quoted) if "\\" in quoted else quoted)
    return found


def read_answer(text: str, *, compatible: bool = False) -> Answer | None:
    """The answer to a challenge of ours; None when a field is missing, unknown or not what was offered.

    `compatible` takes an answer without `qop` too (RFC 2069).
    """
    if len(text) > MAX_FIELDS_CHARS:
        return None
    return read_usual(text) or read_any(text, compatible=compatible)


def read_usual(text: str) -> Answer | None:
    """The answer with a count, written as nearly every client writes it; None when a closer look is needed."""
    usual = _USUAL.fullmatch(text) if "\\" not in text else None
    if usual is None:
        return None
    name, realm, nonce, uri, response, cnonce, count, qop, named = usual.groups()
    algorithm = _ALGORITHMS.get(named or "MD5")
    if algorithm is None or not (name and realm and nonce and uri and response and cnonce and count and qop):
        return None
    return Answer(name, realm, nonce, uri, response.lower(), algorithm, cnonce, count)


def read_any(text: str, *, compatible: bool) -> Answer | None:
    """The answer however it is written; None as `read_answer`."""
    fields = read_fields(text)
    if fields is None or not fields.keys() >= NEEDED:
        return None
    algorithm = read_algorithm(fields)
    if algorithm is None or ("userhash" in fields and fields["userhash"].lower() != "false"):
        return None
    if not _counted(fields) and not (compatible and fields.keys().isdisjoint({"qop", "nc"})):
        return None
    return Answer(
        fields["username"],
        fields["realm"],
        fields["nonce"],
        fields["uri"],
        fields["response"].lower(),
        algorithm,
        fields.get("cnonce", ""),
        fields.get("nc", ""),
    )


def _counted(fields: Mapping[str, str]) -> bool:
    """Whether the answer is of `qop=auth`, with a count."""
    count = fields.get("nc", "")
    if len(count) != 8 or fields.get("qop") != "auth" or "cnonce" not in fields:
        return False
    return _HEX.fullmatch(count) is not None


def read_algorithm(fields: Mapping[str, str]) -> Algorithm | None:
    """The hash an answer uses; MD5 when it says nothing (RFC 7616, 3.4)."""
    named = fields.get("algorithm", "MD5")
    return _ALGORITHMS.get(named) or _ALGORITHMS.get(named.upper())


def challenge(realm: str, nonce: str, algorithm: Algorithm, *, stale: bool, counted: bool = True) -> str:
    """One WWW-Authenticate value.

    Without `counted` as clients of RTSP read it: by the place of its fields, with `stale` at the end.
    """
    if not counted:
        named = "" if algorithm is Algorithm.MD5 else f"algorithm={algorithm.value}, "
        return f'Digest realm="{realm}", nonce="{nonce}", {named}stale={"TRUE" if stale else "FALSE"}'
    text = f'Digest realm="{realm}", qop="auth", algorithm={algorithm.value}, nonce="{nonce}"'
    return f"{text}, stale=true" if stale else text


class Spent:
    """Counts seen for one nonce: the highest, and a bit for each of the `WINDOW` values up to it.

    Of answers without a count the responses themselves, at most `WINDOW`; then the nonce is spent. `born_ns` is the
    nonce's own time, whose code was found right when it was first used.
    """

    __slots__ = ("_bits", "_highest", "_responses", "born_ns")

    def __init__(self, born_ns: int = 0) -> None:
        self.born_ns = born_ns
        self._highest = 0
        self._bits = 0
        self._responses: set[str] = set()

    def take_response(self, response: str) -> bool:
        """Whether this response is new; from now on it is not."""
        if response in self._responses or len(self._responses) >= WINDOW:
            return False
        self._responses.add(response)
        return True

    def take(self, count: int) -> bool:
        """Whether `count` is new; from now on it is not."""
        if count < 1 or count <= self._highest - WINDOW:
            return False
        if count > self._highest:
            shift = count - self._highest
            self._bits = (self._bits << shift) & _ALL_COUNTS | 1 if shift < WINDOW else 1
            self._highest = count
            return True
        bit = 1 << (self._highest - count)
        if self._bits & bit:
            return False
        self._bits |= bit
        return True


class Nonces:
    """Nonces of one boot: made from the time and a key, remembered only once used.

    At most `NONCES` are remembered; when one has to be forgotten, all as old as it are spent with it.
    """

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key if key is not None else secrets.token_bytes(32)
        self._used: OrderedDict[str, Spent] = OrderedDict()
        self._spent_before_ns = 0

    def fresh(self, now_ns: int) -> str:
        """A new nonce."""
        head = now_ns.to_bytes(8, "big") + secrets.token_bytes(8)
        return urlsafe_b64encode(head + self._code(head)).decode()

    def _code(self, head: bytes) -> bytes:
        return hmac.digest(self._key, head, "sha256")[:17]

    def _time_ns(self, nonce: str) -> int | None:
        try:
            raw = urlsafe_b64decode(nonce.encode("ascii"))
        except ValueError:
            return None
        # One text per nonce: a decoder that forgives would give a replay a second name.
        if len(raw) != 33 or urlsafe_b64encode(raw).decode() != nonce:
            return None
        if not hmac.compare_digest(raw[16:], self._code(raw[:16])):
            return None
        return int.from_bytes(raw[:8], "big")

    def take(self, nonce: str, count: int, now_ns: int) -> bool:
        """Whether this use of a nonce is the first; False for foreign, expired, forgotten and repeated ones."""
        spent = self._spent(nonce, now_ns)
        return spent is not None and spent.take(count)

    def take_answer(self, answer: Answer, now_ns: int) -> bool:
        """Whether the right answer is given for the first time, with a count or without one."""
        spent = self._spent(answer.nonce, now_ns)
        if spent is None:
            return False
        return spent.take(int(answer.nc, 16)) if answer.nc else spent.take_response(answer.response)

    def _spent(self, nonce: str, now_ns: int) -> Spent | None:
        """What is spent of a nonce; None when it is foreign, expired or forgotten."""
        spent = self._used.get(nonce)
        born_ns = spent.born_ns if spent is not None else self._time_ns(nonce)
        if born_ns is None or now_ns - born_ns > _LIFETIME_NS:
            return None
        if spent is None:
            if born_ns <= self._spent_before_ns:
                return None
            spent = self._used[nonce] = Spent(born_ns)
            self._forget()
        return spent

    def _forget(self) -> None:
        while len(self._used) > NONCES:
            _, oldest = self._used.popitem(last=False)
            self._spent_before_ns = max(self._spent_before_ns, oldest.born_ns)
