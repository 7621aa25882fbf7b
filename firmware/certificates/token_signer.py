"""A key of a token as `cryptography` knows private keys: it signs, and gives nothing away."""

from __future__ import annotations

from typing import Any, NoReturn

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from firmware.certificates.openssl_engine import TokenKey
from firmware.core.errors import Refused


class TokenSigner(ec.EllipticCurvePrivateKey):
    """An EC key that lies in a token."""

    def __init__(self, key: TokenKey) -> None:
        self._key = key
        public = load_der_public_key(key.public_der())
        assert isinstance(public, ec.EllipticCurvePublicKey)
        self._public = public

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """The public half."""
        return self._public

    @property
    def curve(self) -> ec.EllipticCurve:
        """Its curve."""
        return self._public.curve

    @property
    def key_size(self) -> int:
        """Bits."""
        return self._public.key_size

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        """ECDSA over the digest that is asked for."""
        algorithm: Any = signature_algorithm.algorithm
        return self._key.sign(bytes(data), algorithm.name)

    def exchange(self, *_: object) -> NoReturn:
        """Not what it is for. Raises Refused."""
        raise Refused("keystore", "a key in the token signs and does nothing else")

    private_numbers = private_bytes = exchange  # type: ignore[assignment]

    def __copy__(self) -> TokenSigner:
        return self

    def __deepcopy__(self, _: object) -> TokenSigner:
        return self
