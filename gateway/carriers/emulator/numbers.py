"""Numbers that behave in a known way, by their last four digits: the same in every trial."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the carrier treats a number; the default answers, takes every page, and tells it once.

    ``fails_with`` is the failure_reason of every call, ``fails_after`` the pages that were sent before it (0: the call
    is not answered), ``busy_calls`` the first calls that find the line busy, ``unavailable`` the first POSTs that are
    answered 503 and not accepted. ``resets`` accepts the POST and resets the connection instead of answering.
    ``tellings`` is how often each webhook is sent; more than once means shuffled as well.
    """

    fails_with: str = ""
    fails_after: int = 0
    busy_calls: int = 0
    unavailable: int = 0
    resets: bool = False
    tellings: int = 1


_USUAL = Behaviour()

BEHAVIOURS = {
    "0001": Behaviour(fails_with="user_busy"),
    "0002": Behaviour(fails_with="receiver_no_answer"),
    "0003": Behaviour(fails_with="receiver_call_dropped", fails_after=1),
    "0004": Behaviour(fails_with="receiver_unallocated_number"),
    "0005": Behaviour(busy_calls=1),
    "0006": Behaviour(resets=True),
    "0007": Behaviour(unavailable=2),
    "0008": Behaviour(tellings=0),
    "0009": Behaviour(tellings=3),
}


def behaviour(number: str) -> Behaviour:
    """Return how *number* (E.164) behaves."""
    return BEHAVIOURS.get(number[-4:], _USUAL)
