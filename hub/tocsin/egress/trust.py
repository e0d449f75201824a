"""Whose certificates the hub believes when it opens a connection: the system's, and those the operator names.

Rules: names and certificates are always checked; no variable of the environment points elsewhere (`SSL_CERT_FILE`), and
none makes the keys of connections known (`SSLKEYLOGFILE`), as `ssl.create_default_context` would allow.
"""

import ssl
from pathlib import Path
from typing import Final

from tocsin.errors import Misconfigured

_BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",
)
"""Where the bundle lies when Python was built on another system than it runs on, and looks where nothing is."""


def system_tls() -> ssl.SSLContext:
    """A context that trusts whom the system trusts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["http/1.1"])
    paths = ssl.get_default_verify_paths()
    file = next((path for path in (paths.openssl_cafile, *_BUNDLES) if Path(path).is_file()), None)
    folder = paths.openssl_capath if Path(paths.openssl_capath).is_dir() else None
    if file is not None or folder is not None:
        context.load_verify_locations(file, folder)
    return context


def trusting(ca_file: Path) -> ssl.SSLContext:
    """The same, and the certificates (PEM) in a file besides.

    Raises:
        Misconfigured: when the file cannot be read or holds no certificate.
    """
    context = system_tls()
    try:
        context.load_verify_locations(cafile=ca_file)
    except (OSError, ssl.SSLError):
        raise Misconfigured(
            "the certificates to trust cannot be read",
            "TOCSIN_OUTBOUND_CA_FILE names a file of certificates in PEM",
        ) from None
    return context
