"""Where faxes may go: listed countries and kinds of number, and nowhere else."""

import pytest

from gateway.errors import Kind, Refusal
from gateway.limits import Limits

USUAL = ["fixed_line", "mobile", "fixed_line_or_mobile", "toll_free", "voip", "personal_number", "uan"]
LIMITS = Limits(["US", "CA"], USUAL)


@pytest.mark.parametrize("number", ["+12025550123", "+16135550123", "+18005550123", "+18885550123"])
def test_what_is_listed_may_be_dialled(number: str) -> None:
    LIMITS.check(number)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("+442071838750", "in GB"),
        ("+18765230123", "in JM"),  # the Caribbean shares +1
        ("+18095550123", "in DO"),
        ("+12425020123", "in BS"),
        ("+19002345678", "premium"),
        ("+870773111632", "outside every country"),
        ("+881612345678", "outside every country"),
        ("+979123456789", "outside every country"),
        ("+80012345678", "outside every country"),
    ],
)
def test_what_is_not_listed_is_refused_with_the_reason_and_the_remedy(number: str, words: str) -> None:
    with pytest.raises(Refusal) as refused:
        LIMITS.check(number)
    reason = refused.value.reason
    assert (reason.kind, reason.subject) == (Kind.DESTINATION_NOT_ALLOWED, number)
    assert words in reason.sentence
    assert "administrator" in reason.sentence
    assert not reason.temporary


@pytest.mark.parametrize(
    "number",
    ["+448431234567", "+499001234567", "+33892123456", "+491803123456", "+33810123456"],
    ids=["premium", "premium", "premium", "shared cost", "shared cost"],
)
def test_what_costs_more_than_others_is_refused_in_a_listed_country_too(number: str) -> None:
    with pytest.raises(Refusal, match="premium rate or the like") as refused:
        Limits(["GB", "DE", "FR"], USUAL).check(number)
    assert refused.value.reason.kind is Kind.DESTINATION_NOT_ALLOWED


def test_kinds_can_be_allowed() -> None:
    Limits(["US"], ["premium_rate"]).check("+19002345678")
    with pytest.raises(Refusal):
        Limits(["US"], ["premium_rate"]).check("+12025550123")


def test_without_countries_nothing_may_be_dialled() -> None:
    with pytest.raises(Refusal):
        Limits([], USUAL).check("+12025550123")
