"""The TLS side of the SMTP door (RFC 3207, RFC 8996: TLS 1.2 and later)."""

import ssl

from gateway.errors import ConfigurationError


def server_context(certificate: str, key: str) -> ssl.SSLContext:
    """Return a context that presents *certificate*, whose private key is *key*: paths of PEM files.

    Raises ConfigurationError when they cannot be used.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigurationError(
            f"[[smtp.listeners]] tls_certificate {certificate}, tls_key {key}: {error.strerror or error}"
            "; both must be readable PEM files that belong together, the key without a password"
        ) from None
    return context


def _no_password() -> str:
    """Answer OpenSSL instead of letting it ask at the terminal."""
    return ""
