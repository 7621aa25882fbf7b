"""Keys of a token as `cryptography` knows private keys: they sign, and give nothing away."""

from __future__ import annotations

from typing import Any, NoReturn

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import load_der_public_key

from firmware.certificates.keys import PrivateKey
from firmware.certificates.openssl_engine import TokenKey
from firmware.core.errors import Refused


def signer_of(key: TokenKey) -> PrivateKey:
    """The key as a signer of its kind."""
    public = load_der_public_key(key.public_der())
    if isinstance(public, rsa.RSAPublicKey):
        return RsaTokenSigner(key, public)
    assert isinstance(public, ec.EllipticCurvePublicKey)
    return TokenSigner(key, public)


class TokenSigner(ec.EllipticCurvePrivateKey):
    """An EC key that lies in a token."""

    def __init__(self, key: TokenKey, public: ec.EllipticCurvePublicKey) -> None:
        self._key = key
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


class RsaTokenSigner(rsa.RSAPrivateKey):
    """An RSA key that lies in a token; certificates and requests are signed with the padding of PKCS #1 v1.5."""

    def __init__(self, key: TokenKey, public: rsa.RSAPublicKey) -> None:
        self._key = key
        self._public = public

    def public_key(self) -> rsa.RSAPublicKey:
        """The public half."""
        return self._public

    @property
    def key_size(self) -> int:
        """Bits."""
        return self._public.key_size

    def sign(self, data: Any, padding: Any, algorithm: Any) -> bytes:
        """RSASSA-PKCS1-v1_5 over the digest that is asked for."""
        assert isinstance(padding, PKCS1v15), "nobody here asks for another one"
        return self._key.sign(bytes(data), algorithm.name)

    def decrypt(self, *_: object) -> NoReturn:
        """Not what it is for. Raises Refused."""
        raise Refused("keystore", "a key in the token signs and does nothing else")

    private_numbers = private_bytes = decrypt  # type: ignore[assignment]

    def __copy__(self) -> RsaTokenSigner:
        return self

    def __deepcopy__(self, _: object) -> RsaTokenSigner:
        return self
