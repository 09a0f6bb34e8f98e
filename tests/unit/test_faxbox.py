"""Who may send through a faxbox: exactly whom its permission list names, and nobody who only looks like it."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from gateway.errors import Refusal
from gateway.faxbox import EXACT, NO_MATCH, PATTERN, WILDCARD, Faxbox, check_expression, entry_fits
from gateway.provisioning.fields import permits


@pytest.mark.parametrize(
    ("entry", "sender", "fits"),
    [
        ("j.doe@clinic.example", "j.doe@clinic.example", EXACT),
        ("J.Doe@Clinic.Example", "j.doe@CLINIC.example", EXACT),
        (" j.doe@clinic.example ", "j.doe@clinic.example", EXACT),
        ("j.doe+fax@clinic.example", "j.doe+fax@clinic.example", EXACT),
        # An address is no expression: its dots and plus signs are themselves.
        ("j.doe@clinic.example", "jxdoe@clinic.example", NO_MATCH),
        ("j.doe@clinic.example", "j.doe@clinicxexample", NO_MATCH),
        ("joe+fax@clinic.example", "joeefax@clinic.example", NO_MATCH),
        ("r&d@clinic.example", "r&d@clinic.example", EXACT),
        ("r&d@clinic.example", "r&d@clinicxexample", NO_MATCH),
        ("c=de/o=ward/s=doe@x400.example", "c=de/o=ward/s=doe@x400-example", NO_MATCH),
        ("!#~`a@clinic.example", "!#~`a@clinicxexample", NO_MATCH),
        ("j.doe@clinic.example", "j.doe@clinic.example.evil.example", NO_MATCH),
        ("j.doe@clinic.example", "xj.doe@clinic.example", NO_MATCH),
        ("*@clinic.example", "anybody@clinic.example", WILDCARD),
        ("*@Clinic.Example", "anybody@CLINIC.EXAMPLE", WILDCARD),
        ("*@clinic.example", "anybody@sub.clinic.example", NO_MATCH),
        ("*@clinic.example", "anybody@evilclinic.example", NO_MATCH),
        ("*@clinic.example", "anybody@clinic.example.evil.example", NO_MATCH),
        ("*@clinic.example", "clinic.example", NO_MATCH),
        (r".+@clinic\.example", "anybody@clinic.example", PATTERN),
        (r".+@clinic\.example", "anybody@clinic.example.evil.example", NO_MATCH),
        (r".+@clinic\.example", "x@clinicxexample", NO_MATCH),
        (r"(joe|ann)@clinic\.example", "ANN@clinic.example", PATTERN),
        (r"(joe|ann)@clinic\.example", "joann@clinic.example", NO_MATCH),
        (r"ward-[0-9]+@clinic\.example", "ward-12@clinic.example", PATTERN),
        (r"(?=.*)(joe)@clinic\.example", "joe@clinic.example", NO_MATCH),
        ("(", "(", EXACT),
        ("(", "anybody@clinic.example", NO_MATCH),
        ("", "", EXACT),
        ("", "anybody@clinic.example", NO_MATCH),
    ],
)
def test_an_entry_fits_whom_it_names(entry: str, sender: str, fits: int) -> None:
    assert entry_fits(entry, sender) == fits


@pytest.mark.parametrize("entry", [r"(a+)+@x\.example", r"(a|aa)+@x\.example", r"(.*a){25}@x\.example"])
def test_no_expression_can_be_made_to_hang_by_a_senders_address(entry: str) -> None:
    """The standard library's take longer than anybody waits for these."""
    assert entry_fits(entry, "a" * 63 + "!@x.example") == NO_MATCH
    assert entry_fits(entry, "a" * 64 + "@x.example") == PATTERN


def test_an_expression_that_cannot_be_matched_is_named_with_the_reason() -> None:
    check_expression(r"(joe|ann)@clinic\.example")
    for entry in ("(", "[a", r"(?=a)b", r"(a)\1", "x{1001}"):
        with pytest.raises(ValueError, match=r"\w+"):
            check_expression(entry)


def test_the_most_exact_entry_counts() -> None:
    now = datetime.now(UTC)
    permit = [r".*@clinic\.example", "*@clinic.example", "boss@clinic.example"]
    box = Faxbox(uuid4(), uuid4(), 1, "ward", "h.example", now, now, permit=permit)
    assert box.permits("boss@clinic.example") == EXACT
    assert box.permits("nurse@clinic.example") == WILDCARD
    assert box.permits("nurse@elsewhere.example") == NO_MATCH


def test_an_empty_list_permits_nobody() -> None:
    now = datetime.now(UTC)
    assert Faxbox(uuid4(), uuid4(), 1, "ward", "h.example", now, now).permits("a@b.example") == NO_MATCH


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("*@München.example", "*@xn--mnchen-3ya.example"),
        ("desk@münchen.example", "desk@xn--mnchen-3ya.example"),
        ("*@clinic.example", "*@clinic.example"),
        ("Desk@Clinic.example", "Desk@Clinic.example"),
        (r".*@(north|south)\.example", r".*@(north|south)\.example"),
    ],
)
def test_a_domain_in_another_script_is_kept_as_senders_have_it(written: str, kept: str) -> None:
    assert permits("permit", [written, " "]) == [kept]


@pytest.mark.parametrize("entry", ["*@", "*@ü..example", "*@-ü.example", "jörg@clinic.example", "(", "*@a b"])
def test_an_entry_that_no_sender_can_have_is_refused(entry: str) -> None:
    with pytest.raises(Refusal, match="which is no address"):
        permits("permit", [entry])
