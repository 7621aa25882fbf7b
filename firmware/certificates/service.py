"""Service `certificates`: the device's certificates and authorities, their keys, and TLS contexts for other rooms.

At first start the device draws a key and signs its own certificate. Certificates are kept as text and read only when
somebody looks at them: serving TLS costs no library (`cryptography.x509` takes long to load). A factory reset takes
everything here away with the rest of the settings. Manual 001, System, Security: Certificates.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ClassVar, TypeVar

from firmware.certificates.keystore import FileKeystore, Keystore, load_chain
from firmware.certificates.settings import CertificateSettings, KeystoreKind
from firmware.core.actions import NOTHING, Invocation, Level, Nothing
from firmware.core.context import Core
from firmware.core.errors import Exhausted, Invalid, NotFound, Refused, StationError
from firmware.core.tls import hardened
from firmware.core.vocabulary.certificates import (
    CertificateAdd,
    CertificateChanged,
    CertificateCreate,
    CertificateKind,
    CertificateList,
    CertificateRef,
    CertificateView,
    KeyType,
    SigningRequest,
    SigningRequestParams,
    Subject,
)
from hal.errors import nearest

if TYPE_CHECKING:
    from firmware.certificates.keys import PrivateKey
    from firmware.certificates.reading import Read

T = TypeVar("T")

FILE = "certificates"
DEVICE = "device"
DAYS = 7300
MAX_CERTIFICATES = 64
END = "-----END CERTIFICATE-----"

log = logging.getLogger("lintel.certificates")


class CertificatesService:
    """All certificates of this device; `serial` names it in its own."""

    name: ClassVar[str] = "certificates"
    vital: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, core: Core, model: str, serial: str) -> None:
        self._core = core
        self._subject = Subject(common_name=f"{model}-{serial}"[:64], alternative_names=_own_names())
        self._keys: Keystore = FileKeystore(core.store)
        self._own: dict[str, str] = {}
        self._away: dict[str, str] = {}  # whose key is in a TPM that cannot be reached now
        self._authorities: dict[str, str] = {}
        self._changing = asyncio.Lock()
        self._pool: ThreadPoolExecutor | None = None

    async def start(self) -> None:
        """Read the certificates; make the device's own when there is none. Raises Unavailable."""
        add = self._core.actions.register
        for name, params, owner, answer, summary in (
            ("certificates.list", Nothing, self._list, CertificateList, "All certificates, without their keys."),
            ("certificates.create", CertificateCreate, self._create, CertificateView, "A new key, self-signed."),
            ("certificates.add", CertificateAdd, self._add, CertificateView, "A certificate from a file."),
            ("certificates.remove", CertificateRef, self._remove, Nothing, "Remove a certificate and its key."),
            ("certificates.request", SigningRequestParams, self._request, SigningRequest, "A signing request."),
        ):
            add(name, params, owner, summary=summary, answer=answer, level=Level.ADMIN)
        await self._choose_keystore()
        try:
            await self._keys.open()
            await self._load()
        except StationError as error:
            # The device must be reachable: with a new certificate, and an alarm of the store.
            log.error("the certificates cannot be used: %s", error)
        # One that lies in the file although keys are made in a TPM now is of the time before.
        if not self._usable() or (self._keys.makes(KeyType.EC_P256) and self._keys.place_of(DEVICE) == "file"):
            await self._make_own()

    async def _choose_keystore(self) -> None:
        settings = self._core.params
        if CertificateSettings.group not in settings:
            settings.declare(CertificateSettings)
        await settings.load(CertificateSettings)
        if settings.get(CertificateSettings).keystore is KeystoreKind.TPM:
            from firmware.certificates.token_keystore import TokenKeystore

            self._keys = TokenKeystore(self._core.store, self._core.store.root / "tpm", self._core.clock)

    def _usable(self) -> bool:
        """Whether the device's own certificate is there with the key that belongs to it."""
        try:
            self.server()
        except StationError as error:
            if DEVICE in self._own:
                log.error("the device's own certificate cannot be used, another one is made: %s", error)
            return False
        return True

    async def run(self) -> None:
        """Nothing to do but be there."""
        await asyncio.Event().wait()

    async def stop(self) -> None:
        """Let the arithmetic that runs finish."""
        self._keys.close()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    async def _load(self) -> None:
        data = await self._core.store.load(FILE)
        if data is None:
            return
        try:
            found = json.loads(data)
            own = {str(name): str(pem) for name, pem in found["own"].items()}
            trusted = {str(name): str(pem) for name, pem in found["ca"].items()}
        except (ValueError, KeyError, AttributeError, TypeError):
            raise Invalid(FILE, "is not a table of certificates") from None
        self._own = {name: chain for name, chain in own.items() if name in self._keys}
        self._away = {name: chain for name, chain in own.items() if name not in self._keys}
        self._authorities = trusted

    async def _make_own(self) -> None:
        from firmware.certificates.making import drawn

        if self._keys.makes(KeyType.EC_P256):
            try:
                await self._make(DEVICE, KeyType.EC_P256, self._subject, DAYS)
                return
            except StationError as error:
                log.error("the device's own key cannot be made in the TPM: %s", error)
                if DEVICE in self._own:
                    return
        key, pem = drawn(KeyType.EC_P256, self._subject, self._core.clock.utc(), DAYS)
        try:
            await self._keep(DEVICE, key, pem)
        except StationError as error:
            log.error("the device's own certificate is not saved; another will be made at the next start: %s", error)
            self._own[DEVICE] = pem
            self._keys = _Fleeting(self._keys, DEVICE, key)

    async def _make(self, name: str, kind: KeyType, subject: Subject, days: int) -> None:
        """A key that the keystore makes itself, with its certificate. Raises Unavailable; then there is neither."""
        from firmware.certificates.making import certificate_of

        signer = await self._keys.make(name, kind)
        try:
            now = self._core.clock.utc()
            pem = await self._aside(lambda: certificate_of(signer, subject, now, days))
            await self._save({**self._own, name: pem}, self._authorities)
        except StationError:
            await self._keys.unmake(name)
            raise
        await self._keys.settle(name)

    async def _keep(self, name: str, key: bytes, pem: str) -> None:
        """Key first: a certificate without its key would be of no use. Raises Unavailable."""
        await self._keys.keep(name, key)
        await self._save({**self._own, name: pem}, self._authorities)

    async def _save(self, own: dict[str, str], trusted: dict[str, str]) -> None:
        table = {"own": {**self._away, **own}, "ca": trusted}
        await self._core.store.save(FILE, json.dumps(table).encode())
        self._own, self._authorities = dict(own), dict(trusted)

    # contexts for other rooms (firmware.core.tls)

    def server(self, name: str = "") -> ssl.SSLContext:
        """The context of a server. Raises NotFound, Invalid."""
        context = hardened(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        self._show(context, name or DEVICE)
        return context

    def client(self, authorities: str = "", own: str = "") -> ssl.SSLContext:
        """The context of a client that checks whom it talks to. Raises NotFound, Invalid."""
        if authorities:
            context = hardened(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
            context.load_verify_locations(cadata=self._find(self._authorities, authorities))
        else:
            context = hardened(ssl.create_default_context())
            for pem in self._authorities.values():
                context.load_verify_locations(cadata=pem)
        if own:
            self._show(context, own)
        return context

    def fingerprint(self, name: str = "") -> str:
        """SHA-256 of a certificate of ours. Raises NotFound."""
        first = self._find(self._own, name or DEVICE).partition(END)[0] + END
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(first)).hexdigest()

    def _show(self, context: ssl.SSLContext, name: str) -> None:
        self._keys.load_into(context, name, self._find(self._own, name).encode())

    def _find(self, among: dict[str, str], name: str) -> str:
        if name not in among:
            raise NotFound("certificates.name", f"no certificate {name!r}{nearest(name, among)}")
        return among[name]

    # actions

    async def _list(self, _: Invocation) -> CertificateList:
        own = [self._view(name) for name in sorted(self._own)]
        trusted = [self._view(name) for name in sorted(self._authorities)]
        return CertificateList(certificates=(*own, *trusted))

    def _view(self, name: str) -> CertificateView:
        from firmware.certificates.reading import shown

        if name in self._own:
            return shown(name, CertificateKind.OWN, self._own[name], self._keys.place_of(name))
        return shown(name, CertificateKind.AUTHORITY, self._authorities[name], "")

    async def _create(self, invocation: Invocation) -> CertificateView:
        params = invocation.params
        assert isinstance(params, CertificateCreate)
        from firmware.certificates.making import drawn

        async with self._changing:
            self._check_free("certificates.create.name", params.name)
            subject = params.subject if params.subject != Subject() else self._subject
            if self._keys.makes(params.key_type):
                await self._make(params.name, params.key_type, subject, params.days)
            else:
                now = self._core.clock.utc()
                key, pem = await self._aside(lambda: drawn(params.key_type, subject, now, params.days))
                await self._keep(params.name, key, pem)
        return self._say(params.name, "created", invocation)

    async def _add(self, invocation: Invocation) -> CertificateView:
        params = invocation.params
        assert isinstance(params, CertificateAdd)
        from firmware.certificates.keys import key_pem
        from firmware.certificates.reading import read_file

        found = await self._aside(lambda: read_file(params))
        async with self._changing:
            if params.kind is CertificateKind.AUTHORITY:
                return await self._add_authority(params.name, found, invocation)
            if found.key is None:
                return await self._renew(params.name, found, invocation)
            self._check_free("certificates.add.name", params.name)
            await self._keep(params.name, key_pem(found.key), found.pem())
        return self._say(params.name, "added", invocation)

    async def _add_authority(self, name: str, found: Read, invocation: Invocation) -> CertificateView:
        from firmware.certificates.reading import check_authority

        if found.key is not None:
            raise Invalid("certificates.add", "holds a private key; only the authority's certificate belongs here")
        check_authority(found.chain)
        self._check_free("certificates.add.name", name)
        await self._save(self._own, {**self._authorities, name: found.pem()})
        return self._say(name, "added", invocation)

    async def _renew(self, name: str, found: Read, invocation: Invocation) -> CertificateView:
        """The answer to a signing request: another certificate for a key that is here."""
        if name not in self._own:
            raise Invalid("certificates.add.key", f"is missing, and there is no {name!r} whose key this could be for")
        from firmware.certificates.reading import same_key

        if not same_key(found, self._own[name]):
            raise Invalid("certificates.add", f"is not for the key of {name!r}")
        await self._save({**self._own, name: found.pem()}, self._authorities)
        return self._say(name, "renewed", invocation)

    async def _remove(self, invocation: Invocation) -> Nothing:
        params = invocation.params
        assert isinstance(params, CertificateRef)
        name = params.name
        async with self._changing:
            if name == DEVICE:
                raise Refused("certificates.remove.name", "is the device's own; HTTPS falls back to it")
            self._find({**self._own, **self._authorities}, name)
            kind = CertificateKind.OWN if name in self._own else CertificateKind.AUTHORITY
            own = {each: chain for each, chain in self._own.items() if each != name}
            trusted = {each: chain for each, chain in self._authorities.items() if each != name}
            await self._save(own, trusted)
            await self._keys.remove(name)
        self._publish(name, kind, "removed", invocation)
        return NOTHING

    async def _request(self, invocation: Invocation) -> SigningRequest:
        params = invocation.params
        assert isinstance(params, SigningRequestParams)
        from firmware.certificates.making import signing_request, subject_of

        former = self._find(self._own, params.name)
        subject = params.subject if params.subject != Subject() else subject_of(former)
        key = self._keys.signer(params.name)
        return SigningRequest(name=params.name, pem=signing_request(key, subject))

    def _check_free(self, where: str, name: str) -> None:
        if name in self._own or name in self._authorities:
            raise Refused(where, f"there is a certificate {name!r} already")
        if len(self._own) + len(self._authorities) >= MAX_CERTIFICATES:
            raise Exhausted("certificates", f"there are {MAX_CERTIFICATES} certificates already")

    def _say(self, name: str, change: str, invocation: Invocation) -> CertificateView:
        shown = self._view(name)
        self._publish(name, shown.kind, change, invocation)
        return shown

    def _publish(self, name: str, kind: CertificateKind, change: str, invocation: Invocation) -> None:
        told = CertificateChanged(name=name, kind=kind, change=change, by=invocation.caller.name)
        self._core.bus.publish(told, cause=invocation.cause)

    async def _aside(self, job: Callable[[], T]) -> T:
        """Do slow arithmetic in a thread, so that nobody on the loop waits for it."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="certificates")
        with self._core.clock.outside():
            return await asyncio.get_running_loop().run_in_executor(self._pool, job)


class _Fleeting:
    """A keystore with one key more that could not be saved: it lives as long as the process."""

    def __init__(self, kept: Keystore, name: str, key: bytes) -> None:
        self._kept = kept
        self._own_name = name
        self._key = key

    async def open(self) -> None:
        """It is open."""

    def signer(self, name: str) -> PrivateKey:
        """The key as a signer. Raises NotFound."""
        from firmware.certificates.keys import key_of

        return key_of(self._key) if name == self._own_name else self._kept.signer(name)

    def makes(self, kind: KeyType) -> bool:
        """As the one behind it."""
        return self._kept.makes(kind)

    async def make(self, name: str, kind: KeyType) -> PrivateKey:
        """As the one behind it. Raises Unavailable."""
        return await self._kept.make(name, kind)

    def place_of(self, name: str) -> str:
        """As the one behind it."""
        return self._kept.place_of(name)

    def close(self) -> None:
        """Let what runs finish."""
        self._kept.close()

    async def settle(self, name: str) -> None:
        """As the one behind it. Raises Unavailable."""
        await self._kept.settle(name)

    async def unmake(self, name: str) -> None:
        """As the one behind it. Raises Unavailable."""
        await self._kept.unmake(name)

    async def keep(self, name: str, key: bytes) -> None:
        """Keep a key. Raises Unavailable."""
        await self._kept.keep(name, key)

    async def remove(self, name: str) -> None:
        """Destroy a key. Raises Unavailable."""
        await self._kept.remove(name)

    def load_into(self, context: ssl.SSLContext, name: str, chain: bytes) -> None:
        """Give a TLS context a chain with its key. Raises NotFound, Invalid."""
        if name != self._own_name:
            self._kept.load_into(context, name, chain)
            return
        load_chain(context, chain, self._key)

    def __contains__(self, name: object) -> bool:
        return name == self._own_name or name in self._kept


def _own_names() -> tuple[str, ...]:
    """What the device is called by itself; its addresses change and are not in its certificate."""
    host = socket.gethostname().lower()
    names = (host, f"{host.partition('.')[0]}.local", "localhost", "127.0.0.1", "::1")
    return tuple(dict.fromkeys(name for name in names if name and name.isascii() and len(name) <= 64))
