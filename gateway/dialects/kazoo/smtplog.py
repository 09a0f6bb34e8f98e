"""The log of SMTP transactions in Kazoo's words."""

from typing import Any, NotRequired

from typing_extensions import TypedDict

from gateway.dialects.kazoo.words import dated_id, to_gregorian
from gateway.ids import parse_id
from gateway.transaction import SmtpRecord

# A field whose name is a word of Python cannot be written as a class.
SmtplogRow = TypedDict(
    "SmtplogRow",
    {"id": str, "from": str, "to": str, "created": int, "error": NotRequired[str]},
)


class SmtplogDetail(SmtplogRow):
    """One record. What the client did not say is left out."""

    errors: list[str]
    size: int
    recipients: list[dict[str, Any]]
    found: list[dict[str, Any]]
    fax_ids: list[str]
    original_number: NotRequired[str]
    translated_number: NotRequired[str]
    faxbox_domain: NotRequired[str]
    content_type: NotRequired[str]
    filename: NotRequired[str]
    account_id: NotRequired[str]
    faxbox_id: NotRequired[str]
    faxdoc_id: NotRequired[str]
    peer: NotRequired[str]
    helo: NotRequired[str]
    tls: NotRequired[str]
    user: NotRequired[str]
    message_id: NotRequired[str]
    subject: NotRequired[str]
    reply: NotRequired[str]


def smtplog_row(record: SmtpRecord) -> SmtplogRow:
    """Return *record* as a row of ``GET .../faxes/smtplog``. A row without ``error`` is a mail that was taken."""
    row: SmtplogRow = {
        "id": dated_id(record.id, record.at),
        "from": record.sender.lower(),
        "to": _first(record)["written"].lower(),
        "created": to_gregorian(record.at),
    }
    if record.errors:
        row["error"] = record.errors[0]
    return row


def smtplog_detail(record: SmtpRecord) -> SmtplogDetail:
    """Return *record* as ``GET .../faxes/smtplog/{id}`` shows it.

    The first group of fields is Kazoo's (its ``to`` and number are those of the first recipient), the second one
    ours. What the client did not say is left out; ``errors`` is always there, in the order of the session.
    """
    first, document = _first(record), _document(record)
    faxes = [fax.hex for fax in map(parse_id, record.fax_ids) if fax is not None]
    told = {
        "original_number": first["written"].rpartition("@")[0],
        "translated_number": first["number"],
        "faxbox_domain": first["domain"],
        "content_type": str(document.get("media_type", "")),
        "filename": str(document.get("name", "")),
        "account_id": record.account_id.hex if record.account_id else "",
        "faxbox_id": record.faxbox_id.hex if record.faxbox_id else "",
        "faxdoc_id": faxes[0] if faxes else "",
    }
    ours = {
        "peer": record.peer,
        "helo": record.helo,
        "tls": record.tls,
        "user": record.user,
        "message_id": record.message_id,
        "subject": record.subject,
        "reply": record.reply,
    }
    return {
        **smtplog_row(record),
        **{name: value for name, value in (told | ours).items() if value},  # type: ignore[typeddict-item]  # by name
        "errors": list(record.errors),
        "size": record.size,
        "recipients": [dict(recipient) for recipient in record.recipients],
        "found": [dict(part) for part in record.found],
        "fax_ids": faxes,
    }


def _first(record: SmtpRecord) -> dict[str, str]:
    """The first recipient, with every key; a session may end before it names one."""
    return {"written": "", "number": "", "domain": "", **(record.recipients[0] if record.recipients else {})}


def _document(record: SmtpRecord) -> dict[str, object]:
    """The part of the mail that Kazoo would name: the first one that is faxed, else the first one found."""
    used = [part for part in record.found if part.get("used")]
    return next(iter(used or record.found), {})
