"""From a telling to a mail: the same telling always becomes the same bytes.

The structure is (RFC 2046, RFC 2387; parts in brackets only when there is something to put into them)::

    [multipart/mixed]
        multipart/alternative
            text/plain
            [multipart/related]
                text/html
                [image/png, inline: the first page]
        [application/pdf or image/tiff, attachment]

Headers are safe by construction: what comes from outside is made one line first (``facts.one_line``), message ids
must match a strict form, and nothing else from outside gets into a header but phone numbers and file names.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

from email_validator import EmailNotValidError, validate_email

from gateway.address import parse_mailbox
from gateway.mail.composed import ComposedMail, NotSent
from gateway.mail.facts import Facts, one_line, read_facts
from gateway.mail.wording import Enclosure, Letter, local_time, write_letter
from gateway.telling import Tale, Telling

__all__ = ["Attachment", "ComposedMail", "NotSent", "compose", "document_name"]

#: Tales that answer what somebody did: no bounce may come of them (RFC 3834, section 3.3).
_ANSWERS = frozenset({Tale.RECEIPT, Tale.FAILURE, Tale.DELAYED, Tale.HELD})

_MESSAGE_ID = re.compile(r"<[!-;=?-~]{3,248}>")
_MEDIA_TYPE = re.compile(r"(?:application|image)/[A-Za-z0-9.+-]+")
_LONGEST_REFERENCES = 900

#: Bodies are folded as usual, headers only at the limit of the standard: a message id that is folded within becomes
#: an encoded word in Python's hands, and then threads nothing.
_BODY_POLICY = SMTP.clone(cte_type="7bit")
_WIRE_POLICY = SMTP.clone(cte_type="7bit", max_line_length=998)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A document (``name`` "" for the usual one), or with ``inline`` a picture of its first page for the HTML."""

    name: str
    media_type: str
    content: bytes
    inline: bool = False
    cid: str = ""


def compose(
    telling: Telling, *, sender: str, attachments: Sequence[Attachment], max_attachment_bytes: int | None
) -> ComposedMail:
    """Return the mail that tells *telling*, from the mailbox *sender*.

    Documents of more than *max_attachment_bytes* together (before their encoding) stay behind; the text then says
    how to get them. With None they do so whatever their size, since the mail server has refused it. Raises NotSent
    (permanent) for an address that no mail can go to.
    """
    facts = read_facts(telling.facts)
    documents = [attachment for attachment in attachments if not attachment.inline]
    preview = next((attachment for attachment in attachments if attachment.inline), None)
    size = sum(len(document.content) for document in documents)
    left_behind = size > (max_attachment_bytes or 0)
    if left_behind:
        documents = []
    cid = _cid(telling, preview) if preview else ""
    enclosure = Enclosure(
        attached=bool(documents),
        too_large=_megabytes(size) if left_behind else "",
        limit="" if max_attachment_bytes is None else _megabytes(max_attachment_bytes),
        preview_cid=cid,
    )
    from_address, recipient = deliverable(sender), deliverable(telling.recipient)
    letter = write_letter(telling.tale, facts, host=from_address.domain, enclosure=enclosure)
    message = EmailMessage(policy=_BODY_POLICY)
    _put_headers(message, telling, facts, letter.subject, from_address, recipient)
    _put_body(message, letter, preview, cid)
    for document in documents:
        _attach(message, document, facts)
    _put_boundaries(message, telling)
    utf8 = not recipient.addr_spec.isascii() or not from_address.addr_spec.isascii()
    return ComposedMail(
        message=message.as_bytes(policy=_WIRE_POLICY.clone(utf8=utf8)),
        envelope_sender="" if telling.tale in _ANSWERS else from_address.addr_spec,
        recipient=recipient.addr_spec,
        left_behind=left_behind,
    )


def deliverable(text: str) -> Address:
    """Read the mailbox *text*, its domain in A-labels. Raises NotSent (permanent) when it is none.

    ASCII addresses must be plain dot-strings: what needs quoting has been read in two ways before.
    """
    mailbox = parse_mailbox(text)
    if mailbox is not None:
        return Address(username=mailbox.local, domain=mailbox.domain)
    international = None if text.isascii() else _international(text)
    if international is None:
        raise NotSent(f"{one_line(text, 100)!r} is not a mail address; correct it.", permanent=True)
    return international


def _international(text: str) -> Address | None:
    """A mailbox with letters beyond ASCII (RFC 6531); its domain can always be written in ASCII, its name cannot."""
    try:
        found = validate_email(text, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError:
        return None
    return Address(username=found.local_part, domain=found.ascii_domain)


def document_name(facts: Facts, media_type: str) -> str:
    """Return the file name of a received fax: ``fax-from-+12025550123-2026-11-22-1530.pdf``, in local time."""
    number = facts.from_number if re.fullmatch(r"\+?[0-9]{2,20}", facts.from_number) else "unknown"
    at = facts.finished_at or facts.submitted_at
    when = f"-{local_time(at, facts.timezone):%Y-%m-%d-%H%M}" if at else ""
    return f"fax-from-{number}{when}.{'tif' if media_type == 'image/tiff' else 'pdf'}"


def _put_body(message: EmailMessage, letter: Letter, preview: Attachment | None, cid: str) -> None:
    message.set_content(letter.text, cte="quoted-printable")
    message.add_alternative(letter.html, subtype="html", cte="quoted-printable")
    if preview is None:
        return
    html = message.get_payload(1)
    assert isinstance(html, EmailMessage)
    picture = _media_type(preview)
    html.add_related(preview.content, *picture, cid=f"<{cid}>", disposition="inline", filename="first-page.png")


def _attach(message: EmailMessage, document: Attachment, facts: Facts) -> None:
    name = document.name or document_name(facts, document.media_type)
    message.add_attachment(document.content, *_media_type(document), filename=_file_name(name))


def _put_headers(
    message: EmailMessage, telling: Telling, facts: Facts, subject: str, sender: Address, recipient: Address
) -> None:
    message["From"] = Address("Faxgate", sender.username, sender.domain)
    message["To"] = recipient
    message["Subject"] = _ascii(subject)
    # The date of the telling, not of this try: a mail that is sent again is the same mail.
    message["Date"] = telling.created_at
    message["Message-ID"] = telling.message_id
    message["X-Fax-Id"] = str(telling.fax_id) if telling.fax_id else _ascii(facts.fax_id) or "none"
    message["Auto-Submitted"] = "auto-replied" if telling.tale in _ANSWERS else "auto-generated"
    # Exchange looks at nothing else before it sends "I am on holiday" back.
    message["X-Auto-Response-Suppress"] = "All"
    answered = _MESSAGE_ID.fullmatch(facts.in_reply_to)
    if telling.tale in _ANSWERS and answered and "=?" not in answered[0]:
        message["In-Reply-To"] = answered[0]
        message["References"] = _references(facts.references, answered[0])


def _references(earlier: str, answered: str) -> str:
    """RFC 5322, 3.6.4: what the submitted mail referred to, then itself; the oldest go when there are too many."""
    chain = [found for found in _MESSAGE_ID.findall(earlier) if "=?" not in found and found != answered]
    chain.append(answered)
    while len(" ".join(chain)) > _LONGEST_REFERENCES:
        del chain[0]
    return " ".join(chain)


def _put_boundaries(message: EmailMessage, telling: Telling) -> None:
    """Give every multipart a boundary of its own; "=_" occurs neither in quoted-printable nor in base64."""
    multiparts = [part for part in message.walk() if part.is_multipart()]
    for number, part in enumerate(multiparts):
        part.set_boundary(f"=_{telling.id.hex}_{number}")


def _media_type(attachment: Attachment) -> tuple[str, str]:
    if not _MEDIA_TYPE.fullmatch(attachment.media_type):
        return "application", "octet-stream"
    maintype, _, subtype = attachment.media_type.partition("/")
    return maintype, subtype


def _file_name(name: str) -> str:
    """One line, no folders, and no "?": a header parser would take "=?" for the start of an encoded word."""
    return re.sub(r'[/\\:*?"<>|]', "_", str(one_line(name, 120))) or "fax"


def _cid(telling: Telling, preview: Attachment) -> str:
    given = preview.cid.strip("<>")
    return given if re.fullmatch(r"[A-Za-z0-9._@-]{1,100}", given) else f"first-page.{telling.id.hex}@faxgate"


def _ascii(text: str) -> str:
    return "".join(char if " " <= char <= "~" else "?" for char in text).replace("=?", "?")


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB"
