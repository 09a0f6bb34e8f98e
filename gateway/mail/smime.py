"""S/MIME that is sealed in one file (RFC 8551, 3.5.2: application/pkcs7-mime): what was signed is taken out.

The signature is not judged: who may send was decided by other evidence. What is encrypted stays closed.
"""

from asn1crypto import cms

TYPES = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
#: What the file is called everywhere (RFC 8551, 3.2.1).
NAME = "smime.p7m"


def signed_content(data: bytes) -> bytes | None:
    """Return the MIME entity that a signed file holds; None when it is encrypted or compressed, holds none, or is
    damaged."""
    try:
        info = cms.ContentInfo.load(data)
        if info["content_type"].native != "signed_data":
            return None
        inner = info["content"]["encap_content_info"]["content"]
        content = inner.native if inner is not None else None
    except Exception:  # asn1crypto raises what a stranger's bytes bring about
        return None
    return content if isinstance(content, bytes) else None
