"""``/decide/{token}``: the page behind the one-time link of a mail. GET shows, only the button acts."""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from http import HTTPStatus
from urllib.parse import parse_qs

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

from gateway.address import pretty
from gateway.errors import Kind, Refusal
from gateway.fax import Fax, State
from gateway.outbox.decide import Answer, Decide, Question
from gateway.web.access import peer_of
from gateway.web.body import read_body
from gateway.web.errors import STATUS

PATH = "/decide/{token:[A-Za-z0-9_-]{1,64}}"
_STYLE = (
    "body{font:16px/1.5 sans-serif;color:#222;background:#f4f4f2;margin:0}"
    "main{max-width:36em;margin:3em auto;padding:1.5em 2em;background:#fff;border-top:4px solid #b7791f}"
    "h1{font-size:1.35em;margin:0 0 .8em}dl{display:grid;grid-template-columns:8em 1fr;gap:.3em 1em}"
    "dt{color:#666}dd{margin:0}button{font:inherit;padding:.5em 1.2em;margin:1em 1em 0 0;cursor:pointer}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "X-Frame-Options": "DENY",
}
#: The largest body that the page's form can have, with room to spare.
MAX_FORM, _MOST_FIELDS = 4096, 10
_AGAIN = "faxgate queue list shows what waits now."


class DecidePages:
    """Shows what waits, and takes the answer."""

    def __init__(self, decide: Decide) -> None:
        self._decide = decide

    def routes(self) -> list[web.RouteDef]:
        """What is served here."""
        return [web.get(PATH, self.show), web.post(PATH, self.answer)]

    async def show(self, request: web.Request) -> web.Response:
        """Show the fax and what can be decided. Nothing changes, whoever looks."""
        question = await self._decide.question(request.match_info["token"], peer_of(request))
        if question is None:
            return _page(404, "This link is not known", ["Perhaps it was cut off in the mail. " + _AGAIN])
        if not question.open:
            return _closed(question)
        return _page(
            200, _title(question), _paragraphs(question), _details(question.fax), _buttons(question), question.seen
        )

    async def answer(self, request: web.Request) -> web.Response:
        """Do what the button says, once."""
        given, seen = await _pressed(request)
        if given not in list(Answer):
            return _page(400, "Nothing was done", ["The page sent no answer. Open the link of the mail once more."])
        try:
            said = await self._decide.answer(request.match_info["token"], Answer(given), peer_of(request), seen)
        except Refusal as refusal:
            if refusal.reason.kind not in {Kind.NOT_FOUND, Kind.WRONG_STATE}:
                raise
            sentence = refusal.reason.sentence
            return _page(
                STATUS[refusal.reason.kind], "Nothing was done", [sentence[0].upper() + sentence[1:] + ".", _AGAIN]
            )
        return _page(200, "Done", [said, "You can close this page."])


async def _pressed(request: web.Request) -> tuple[str, str]:
    """Return which button was pressed, and on the page about what; "" for a body that no page of ours sends."""
    raw = await read_body(request, MAX_FORM)
    if request.content_type != "application/x-www-form-urlencoded":
        return "", ""
    try:
        form = parse_qs(raw.decode(request.charset or "utf-8"), max_num_fields=_MOST_FIELDS)
    except (ValueError, LookupError):
        return "", ""
    pressed, seen = form.get("answer", []), form.get("seen", [""])
    return pressed[0] if len(pressed) == 1 else "", seen[0]


def _closed(question: Question) -> web.Response:
    decision, fax = question.decision, question.fax
    more = [] if decision.only else [_AGAIN]
    if decision.used_at is not None:
        done = "to send the fax" if decision.action == Answer.RELEASE else "to cancel the fax"
        return _page(410, "This link was used", [f"It was used {done}. The fax is {fax.state.value} now.", *more])
    if decision.expired:
        return _page(410, "This link has expired", [f"The fax is {fax.state.value}.", *more])
    return _page(200, "Nothing to decide any more", [f"The fax to {pretty(fax.to_number)} is {fax.state.value}."])


def _title(question: Question) -> str:
    fax = question.fax
    if question.decision.only:
        return f"Cancel the fax to {pretty(fax.to_number)}?"
    if fax.state is State.UNKNOWN:
        return f"Was the fax to {pretty(fax.to_number)} sent?"
    return f"Shall the fax to {pretty(fax.to_number)} be sent?"


def _paragraphs(question: Question) -> list[str]:
    fax = question.fax
    if question.decision.only:
        return ["It has not arrived yet, and is tried further. Nothing happens before you press the button."]
    reason = [fax.held_reason.rstrip(".") + "."] if fax.held_reason else []
    if fax.state is not State.UNKNOWN:
        return [*reason, "It waits until somebody decides. Nothing happens before you press a button."]
    return [
        *reason,
        "Look at the carrier's records, or ask the recipient, before you decide. If it was sent after all, sending it "
        "again makes it arrive twice. Nothing happens before you press a button.",
    ]


def _details(fax: Fax) -> list[tuple[str, str]]:
    pages = "" if fax.pages is None else str(fax.pages)
    submitted = f"{fax.created_at:%Y-%m-%d %H:%M} UTC"
    rows = [("To", pretty(fax.to_number)), ("From", pretty(fax.from_number)), ("Pages", pages)]
    return [(label, value) for label, value in [*rows, ("Submitted", submitted), ("Fax ID", str(fax.id))] if value]


def _buttons(question: Question) -> list[tuple[str, str]]:
    if question.decision.only:
        return [(question.decision.only, "Cancel the fax")]
    again = question.fax.state is State.UNKNOWN
    return [
        (Answer.RELEASE.value, "Send it again" if again else "Send it"),
        (Answer.CANCEL.value, "It was sent, or is not wanted: leave it" if again else "Do not send it"),
    ]


def _page(
    status: int,
    title: str,
    paragraphs: Sequence[str],
    details: Sequence[tuple[str, str]] = (),
    buttons: Sequence[tuple[str, str]] = (),
    seen: str = "",
) -> web.Response:
    text = (
        _environment()
        .get_template("decide.html")
        .render(title=title, paragraphs=paragraphs, details=details, buttons=buttons, seen=seen, style=_STYLE)
    )
    return web.Response(
        status=status, reason=HTTPStatus(status).phrase, text=text, content_type="text/html", headers=_HEADERS
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("gateway.web", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
