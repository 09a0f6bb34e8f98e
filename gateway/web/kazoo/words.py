"""What our rules refuse, said of Kazoo's fields."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from gateway.errors import Kind, Refusal
from gateway.web.kazoo.answers import invalid


@contextmanager
def speaking(paths: Mapping[str, str], *, number: str = "", rule: str = "wrong_format") -> Iterator[None]:
    """Turn what is refused about a field of ours into Kazoo's fault about its own.

    *paths* maps our fields to Kazoo's dotted paths; *number* is the path of the one number that can be wrong, and
    *rule* what it breaks then.
    """
    try:
        yield
    except Refusal as refusal:
        reason = refusal.reason
        if reason.kind is Kind.NUMBER_INVALID and number:
            raise invalid(number, rule, reason.sentence) from None
        if reason.kind is Kind.CONFLICT and reason.subject == "custom_host":
            raise invalid(paths[reason.subject], "unique", "email address must be unique") from None
        if reason.kind is Kind.INVALID and reason.subject in paths:
            path, told = paths[reason.subject], reason.sentence
            if told.startswith(f"{reason.subject} "):
                told = path + told.removeprefix(reason.subject)
            raise invalid(path, "wrong_format", told) from None
        raise
