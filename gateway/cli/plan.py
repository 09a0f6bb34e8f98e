"""What happens next to a fax, in a sentence: from its state and its jobs."""

from collections.abc import Sequence

from gateway.cli.show import when
from gateway.fax import FINAL, Direction, Fax, State
from gateway.store.database import Row


def plan(fax: Fax, waiting: Sequence[Row]) -> str:
    """Return what comes next for *fax*, whose jobs are *waiting*; "" at its end."""
    if fax.state in FINAL:
        return _mailed_on(waiting)
    if fax.state is State.HELD:
        return f"waits for you: faxgate queue release {fax.id}, or cancel"
    if fax.state is State.UNKNOWN:
        return (
            "the carrier may or may not have it, and is asked again; to send it once more: "
            f"faxgate queue release {fax.id}, or cancel"
        )
    if fax.direction is Direction.INBOUND:
        return _document(waiting)
    return _sending(fax, waiting)


def _sending(fax: Fax, waiting: Sequence[Row]) -> str:
    job = _job(waiting, "collect", "prepare", "transmit")
    if fax.state in {State.CALLING, State.SENDING}:
        return "the carrier is at it, and tells how it ends"
    if job is None:
        return _handed_over(waiting)
    if job["kind"] == "transmit":
        return _next_try(fax, job)
    made = f"its pages are made{_time(job)}{_progress(fax)}"
    return made if job["kind"] == "prepare" else f"its document is fetched{_time(job)}"


def _handed_over(waiting: Sequence[Row]) -> str:
    doubt = _job(waiting, "resolve")
    if doubt is not None:
        return f"it is not known whether the carrier has it; the carrier is asked{_time(doubt)}"
    return "the carrier has it, and tells how it ends"


def _next_try(fax: Fax, job: Row) -> str:
    number = f"try {fax.tries + 1} of {fax.tries_allowed}"
    if job["state"] == "blocked":
        what = "the line to its number" if str(job["blocked_on"]).startswith("number:") else "a channel"
        return f"{number} as soon as {what} is free"
    return f"{number}{_time(job)}"


def _progress(fax: Fax) -> str:
    return f", {fax.pages_done} of {fax.pages_to_do} are ready" if fax.pages_done is not None else ""


def _document(waiting: Sequence[Row]) -> str:
    job = _job(waiting, "retrieve")
    return "it is being received" if job is None else f"its document is fetched{_time(job)}"


def _mailed_on(waiting: Sequence[Row]) -> str:
    job = _job(waiting, "forward")
    return "" if job is None else f"it is mailed on{_time(job)}"


def _time(job: Row) -> str:
    if job["state"] == "running":
        return ": under way"
    return f" at {when(job['due'])}" if job["state"] == "scheduled" else " now, as soon as faxgate serve gets to it"


def _job(waiting: Sequence[Row], *kinds: str) -> Row | None:
    return next((job for job in waiting if job["kind"] in kinds), None)
