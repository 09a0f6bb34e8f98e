"""Files that hold other files, as mail programs make them."""

import struct

from asn1crypto import cms


def attribute(level: int, kind: int, data: bytes) -> bytes:
    return struct.pack("<BII", level, kind, len(data)) + data + struct.pack("<H", sum(data) & 0xFFFF)


def winmail(*files: tuple[str, bytes], long_name: str = "") -> bytes:
    """A winmail.dat as Outlook writes it: each file with its short name and, if given, a long one (MAPI)."""
    stream = struct.pack("<IH", 0x223E9F78, 1) + attribute(1, 0x00089006, struct.pack("<I", 0x10000))
    for name, data in files:
        stream += attribute(2, 0x00069002, b"\0" * 14) + attribute(2, 0x00018010, name.encode() + b"\0")
        stream += attribute(2, 0x0006800F, data)
        if long_name:
            text = long_name.encode("utf-16-le") + b"\0\0"
            padded = text + b"\0" * (-len(text) % 4)
            stream += attribute(2, 0x00069005, struct.pack("<IHHII", 1, 0x001F, 0x3707, 1, len(text)) + padded)
    return stream


def sealed(entity: bytes) -> bytes:
    """What a mail program makes of *entity* that signs it in one file (the signature itself is left out)."""
    signed = cms.SignedData(
        {
            "version": "v1",
            "digest_algorithms": [],
            "encap_content_info": {"content_type": "data", "content": entity},
            "signer_infos": [],
        }
    )
    return bytes(cms.ContentInfo({"content_type": "signed_data", "content": signed}).dump())
