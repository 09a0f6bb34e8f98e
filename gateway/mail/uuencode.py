"""Files that were written into a text (uuencode, POSIX.1), as old scanners and scripts do it."""

import binascii
import re

from gateway.mail.content import Undecodable, content
from gateway.mail.headers import display_name
from gateway.mail.structure import Leaf

_BEGIN = re.compile(rb"^begin [0-7]{3,4} ([^\r\n]{1,200})\r?\n([!-M][ -`]{4,61})\r?$", re.MULTILINE)


def written_file(leaf: Leaf) -> str:
    """Return the name of the first file that stands in a text, "" when there is none."""
    try:
        text = content(leaf)
    except Undecodable:
        return ""
    for name, line in _BEGIN.findall(text):
        try:
            if binascii.a2b_uu(line):
                return display_name(name.decode("utf-8", "replace"))
        except binascii.Error:
            continue
    return ""
