"""The judge says so when a fax is lost, doubled, stuck or untruly reported, and keeps silent when none is."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.faults.judge import Logs, Verdict, judge

NUMBER, OTHER = "+12125550150", "+12125550151"
READERS = ("ward@acme.test.example", "inbox@acme.test.example")
Line = dict[str, Any]


def fax_id(number: int) -> str:
    return str(UUID(int=number))


class Story:
    """Three logs, written line by line."""

    def __init__(self, folder: Path) -> None:
        self.logs = Logs.below(folder)
        self.clock = 0

    def write(self, path: Path, line: Line) -> None:
        self.clock += 1
        with path.open("a") as file:
            file.write(json.dumps({"at": f"2026-11-25T10:00:{self.clock:02}Z"} | line) + "\n")

    def mail(self, number: int, to: str = NUMBER, *, acked: bool = True) -> None:
        line = {"mail": f"<{number}@acme>", "to": to, "fax_id": ""}
        self.write(self.logs.acks, line | {"step": "sent"})
        if acked:
            self.write(self.logs.acks, line | {"step": "acked", "fax_id": fax_id(number)})

    def carried(self, name: str, *statuses: str, to: str = NUMBER, direction: str = "outbound", sha: str = "d") -> None:
        for status in statuses:
            line = {"id": name, "direction": direction, "to": to, "status": status, "sha256": sha}
            self.write(self.logs.carrier, line)

    def told(self, number: int, tale: str, to: str = "nurse@acme.test.example", serial: str = "", **more: Any) -> None:
        identity = f"<{tale}.{number}{serial}{to}@fax>"
        self.write(
            self.logs.mails, {"message_id": identity, "to": to, "x_fax_id": fax_id(number), "documents": [], **more}
        )

    def verdict(self, *recipients: str) -> Verdict:
        return judge(self.logs, recipients)

    def faults(self, *recipients: str) -> list[str]:
        return [fault.kind for fault in self.verdict(*recipients).faults]


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path)


def test_a_delivered_a_failed_and_a_held_fax_are_as_they_should_be(story: Story) -> None:
    story.mail(1)
    story.carried("a", "queued", "delivered")
    story.told(1, "receipt")
    story.told(1, "receipt")  # the same mail twice: its Message-ID is one
    story.mail(2, OTHER)
    story.carried("b", "queued", "failed", to=OTHER)
    story.carried("c", "queued", "failed", to=OTHER)
    story.told(2, "failure")
    story.mail(3, "+12125550152")
    story.told(3, "held")
    verdict = story.verdict()
    verdict.require()
    assert verdict.acked == 3
    assert verdict.outcomes == {"delivered": 1, "failed": 1, "held": 1}


def test_a_fax_that_was_held_and_then_settled_has_one_outcome(story: Story) -> None:
    story.mail(1)
    story.told(1, "held")
    story.carried("a", "queued", "delivered")
    story.told(1, "receipt")
    assert story.verdict().outcomes == {"delivered": 1}


def test_a_mail_that_was_never_acknowledged_may_vanish_or_be_sent_once(story: Story) -> None:
    story.mail(1, acked=False)
    story.mail(2, OTHER, acked=False)
    story.carried("a", "queued", "delivered", to=OTHER)
    story.verdict().require()


def test_an_acknowledged_mail_without_any_trace_is_lost(story: Story) -> None:
    story.mail(1)
    assert story.faults() == ["lost"]


def test_an_acknowledged_mail_that_was_carried_and_never_reported_is_stuck(story: Story) -> None:
    story.mail(1)
    story.carried("a", "queued", "delivered")
    assert story.faults() == ["stuck"]


def test_a_fax_that_never_ends_at_the_carrier_is_stuck(story: Story) -> None:
    story.mail(1)
    story.carried("a", "queued")
    assert story.faults() == ["stuck", "stuck"]


def test_one_mail_that_arrives_twice_is_doubled(story: Story) -> None:
    story.mail(1)
    story.carried("a", "queued", "delivered")
    story.carried("b", "queued", "delivered")
    story.told(1, "receipt")
    assert story.faults() == ["doubled"]


def test_two_calls_to_one_number_at_once_are_doubled(story: Story) -> None:
    story.mail(1)
    story.carried("a", "queued")
    story.carried("b", "queued")
    story.carried("a", "failed")
    story.carried("b", "delivered")
    story.told(1, "receipt")
    assert story.faults() == ["doubled"]


def test_a_ghost_that_never_got_its_document_is_no_second_call(story: Story) -> None:
    story.mail(1)
    story.carried("a", "queued", sha="")
    story.carried("b", "queued")
    story.carried("a", "failed", sha="")
    story.carried("b", "delivered")
    story.told(1, "receipt")
    story.verdict().require()


def test_a_fax_that_nobody_asked_for_is_doubled(story: Story) -> None:
    story.carried("a", "queued", "failed")
    assert story.faults() == ["doubled"]


def test_two_outcomes_are_doubled(story: Story) -> None:
    story.mail(1)
    story.carried("a", "queued", "delivered")
    story.told(1, "receipt")
    story.told(1, "failure")
    assert story.faults() == ["doubled"]


def test_one_mail_acknowledged_under_two_ids_is_doubled(story: Story) -> None:
    story.mail(1)
    story.mail(1)
    line = {"mail": "<1@acme>", "to": NUMBER, "step": "acked", "fax_id": fax_id(9)}
    story.write(story.logs.acks, line)
    story.carried("a", "queued", "delivered")
    story.told(1, "receipt")
    assert story.faults() == ["doubled"]


def test_two_mails_acknowledged_under_one_id_are_one_that_is_lost(story: Story) -> None:
    for number in (1, 2):
        line = {"mail": f"<{number}@acme>", "to": NUMBER, "step": "acked", "fax_id": fax_id(1)}
        story.write(story.logs.acks, line)
    story.carried("a", "queued", "delivered")
    story.told(1, "receipt")
    assert story.faults() == ["lost"]


@pytest.mark.parametrize(("tale", "end"), [("receipt", "failed"), ("failure", "delivered")])
def test_an_outcome_that_is_not_what_happened_is_untrue(tale: str, end: str, story: Story) -> None:
    story.mail(1)
    story.carried("a", "queued", end)
    story.told(1, tale)
    assert story.faults() == ["untrue"]


def receive(story: Story, *recipients: str) -> None:
    story.carried("in", "receiving", direction="inbound", sha="")
    story.carried("in", "received", direction="inbound", sha="f00")
    for recipient in recipients:
        story.told(7, "received", recipient, documents=["f00"])


def test_a_received_fax_that_everybody_has_is_as_it_should_be(story: Story) -> None:
    receive(story, *READERS)
    story.told(7, "received", READERS[0], documents=["f00"])  # the same mail once more
    verdict = story.verdict(*READERS)
    verdict.require()
    assert verdict.received == 1


def test_a_received_fax_that_one_has_not_got_is_lost(story: Story) -> None:
    receive(story, READERS[0])
    assert story.faults(*READERS) == ["lost"]


def test_a_received_fax_under_two_message_ids_is_doubled(story: Story) -> None:
    receive(story, *READERS)
    story.told(7, "received", READERS[0], serial="again", documents=["f00"])
    assert story.faults(*READERS) == ["doubled"]


def test_a_received_fax_that_was_stored_twice_is_doubled(story: Story) -> None:
    receive(story, READERS[0])
    story.told(8, "received", READERS[0], documents=["f00"])
    assert story.faults(READERS[0]) == ["doubled", "doubled"]


def test_a_received_document_that_is_another_one_is_untrue_and_lost(story: Story) -> None:
    receive(story)
    story.told(7, "received", READERS[0], documents=["bad"])
    assert story.faults(READERS[0]) == ["untrue", "lost"]


def test_an_incoming_fax_that_does_not_end_is_stuck(story: Story) -> None:
    story.carried("in", "receiving", direction="inbound", sha="")
    assert story.faults() == ["stuck"]


# -- mails about a delay -----------------------------------------------------------------------------------------------


def test_a_mail_about_a_delay_is_no_outcome(story: Story) -> None:
    story.mail(1)
    story.carried("c1", "queued", "delivered")
    story.told(1, "delayed")
    assert story.faults() == ["stuck"]
    story.told(1, "receipt")
    assert story.faults() == []
    story.told(1, "failure")
    assert story.faults() == ["doubled"], "two outcomes, whatever else was told"


def test_a_delay_that_is_told_twice_is_doubled(story: Story) -> None:
    story.mail(1)
    story.carried("c1", "queued", "delivered")
    for serial in range(2):
        story.told(1, "delayed", serial=str(serial))
    story.told(1, "receipt")
    assert story.faults() == ["doubled"]


# -- mails that nobody takes -------------------------------------------------------------------------------------------


def refused(story: Story, address: str) -> None:
    story.write(story.logs.mails, {"refused": address})


def test_a_fax_whose_sender_was_refused_for_good_is_known_to_the_operator(story: Story) -> None:
    story.mail(1)
    story.carried("c1", "queued", "delivered")
    refused(story, "nurse@acme.test.example")
    assert story.faults() == ["stuck"]
    story.told(1, "operator", "operator@acme.test.example")
    assert (story.faults(), dict(story.verdict().outcomes)) == ([], {"told the operator": 1})


def test_the_operator_alone_is_not_enough_where_nobody_was_refused(story: Story) -> None:
    story.mail(1)
    story.carried("c1", "queued", "delivered")
    story.told(1, "operator", "operator@acme.test.example")
    assert story.faults() == ["stuck"]


def test_one_refusal_is_no_excuse_for_two(story: Story) -> None:
    for number, to in ((1, NUMBER), (2, OTHER)):
        story.mail(number, to)
        story.carried(f"c{number}", "queued", "delivered", to=to)
        story.told(number, "operator", "operator@acme.test.example")
    refused(story, "nurse@acme.test.example")
    assert story.faults() == ["lost"]


def test_a_received_fax_that_its_reader_was_refused_is_the_operators(story: Story) -> None:
    story.carried("c1", "receiving", "received", to="+12025550199", direction="inbound")
    story.told(1, "received", READERS[1], documents=["d"])
    refused(story, READERS[0])
    assert story.faults(*READERS) == ["lost"]
    story.told(1, "operator", "operator@acme.test.example")
    assert story.faults(*READERS) == []
    assert story.faults("somebody@acme.test.example") == ["lost"], "he was not refused"
