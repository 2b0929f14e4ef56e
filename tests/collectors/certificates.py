"""Certificates for lines in TLS, made anew for each test."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from collectors.tls import Tls


def certificates(folder: Path) -> Tls:
    """Make an authority and one certificate of it for 127.0.0.1, which both sides show."""
    folder.mkdir()
    now = datetime.now(UTC)
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
    own_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway")])

    def certificate(subject: x509.Name, public: ec.EllipticCurvePublicKey, *, is_authority: bool) -> bytes:
        built = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
            .sign(authority_key, hashes.SHA256())
        )
        return built.public_bytes(serialization.Encoding.PEM)

    tls = Tls(ca=folder / "ca.pem", certificate=folder / "edge.pem", key=folder / "edge.key")
    assert tls.certificate is not None
    assert tls.key is not None
    tls.ca.write_bytes(certificate(name, authority_key.public_key(), is_authority=True))
    tls.certificate.write_bytes(certificate(own_name, key.public_key(), is_authority=False))
    tls.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return tls
