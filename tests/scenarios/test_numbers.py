"""The emulator's numbers 0001 to 0009, each with the outcome that an operator is promised."""

from pathlib import Path

import pytest

from gateway.fax import State
from tests.scenarios.installation import SENDER, Installation, installed

#: Starts whole processes: together they take long for a run in between.
pytestmark = pytest.mark.full

DELIVERED, FAILED = State.DELIVERED, State.FAILED
#: Ending of the number: state at the end, tries, faxes at the carrier, words of the mail's subject.
OUTCOMES = {
    "0001": (FAILED, 3, 3, "not delivered - the line was busy"),
    "0002": (FAILED, 3, 3, "not delivered - nobody answered"),
    "0003": (FAILED, 3, 3, "not delivered - the call was cut off"),
    "0004": (FAILED, 1, 1, "not delivered - the number does not exist"),
    "0005": (DELIVERED, 2, 2, "delivered (1 page)"),
    "0006": (DELIVERED, 1, 1, "delivered (1 page)"),
    "0007": (DELIVERED, 1, 1, "delivered (1 page)"),
    "0008": (DELIVERED, 1, 1, "delivered (1 page)"),
    "0009": (DELIVERED, 1, 1, "delivered (1 page)"),
}


def _number(ending: str) -> str:
    return f"+1202555{ending}"


@pytest.mark.parametrize("behind_nat", [False, True], ids=["webhooks", "behind NAT"])
async def test_each_number_ends_as_promised(tmp_path: Path, behind_nat: bool) -> None:
    async with installed(tmp_path, f"sqlite:///{tmp_path}/faxgate.db", behind_nat=behind_nat) as house:
        async with house.serving():
            for ending in OUTCOMES:
                await house.mail(_number(ending))
            await house.until(lambda: len(house.mails(SENDER)) == len(OUTCOMES), "a mail about each fax")
            await house.emulator.settle()
        found = {fax.to_number: fax for fax in await house.faxes()}
        for ending, (state, tries, at_carrier, words) in OUTCOMES.items():
            number = _number(ending)
            assert (found[number].state, found[number].tries) == (state, tries), ending
            assert len(house.sent(number)) == at_carrier, ending
            assert len(_about(house, ending)) == 1, ending
            assert words in _about(house, ending)[0], ending
        if not behind_nat:
            told = next(mail for mail in house.mails(SENDER) if "0003" in mail.subject)
            body = told.parsed.get_body(("plain",))
            assert body is not None
            assert "1 of 1" in body.get_content() or "1 page" in body.get_content(), "it says how far the fax came"


def _about(house: Installation, ending: str) -> list[str]:
    return [mail.subject for mail in house.mails(SENDER) if f"555-{ending}" in mail.subject]
