"""Certificates for destinations: an authority, and servers that it vouches for."""

from __future__ import annotations

import ipaddress
import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

HERE = "127.0.0.1"
_PEM = serialization.Encoding.PEM
_UNUSED = (
    "content_commitment key_encipherment data_encipherment key_agreement encipher_only decipher_only crl_sign".split()
)


class Authority:
    """One that vouches for servers; who is to believe it needs its `pem`."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    @cached_property
    def pem(self) -> str:
        signing = x509.KeyUsage(digital_signature=True, key_cert_sign=True, **dict.fromkeys(_UNUSED, False))
        made = self._made(self._key, "authority", 1).add_extension(x509.BasicConstraints(True, None), True)
        return self._signed(made.add_extension(signing, True)).decode()

    def vouching(self, address: str = HERE, days: int = 1) -> ssl.SSLContext:
        """Return what a server at the address shows, good for so many days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        secret = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile() as file:
            file.write(secret + self._signed(self._made(key, "server", days).add_extension(names, False)))
            file.flush()
            context.load_cert_chain(file.name)
        return context

    def _made(self, key: ec.EllipticCurvePrivateKey, name: str, days: int) -> x509.CertificateBuilder:
        today = datetime.now(UTC)
        return (
            x509.CertificateBuilder(_named("authority"), _named(name), key.public_key(), x509.random_serial_number())
            .not_valid_before(today - timedelta(days=9))
            .not_valid_after(today + timedelta(days=days))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), False)
        )

    def _signed(self, made: x509.CertificateBuilder) -> bytes:
        return made.sign(self._key, hashes.SHA256()).public_bytes(_PEM)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
