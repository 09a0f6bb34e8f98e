"""``POST /v2/faxes``: a fax is sent, of documents by URL, of a file in the media storage, or of files in the form."""

from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import urlsplit

from aiohttp import web

from gateway.account import Scope
from gateway.application import Application
from gateway.audit import Action
from gateway.dialects import telnyx
from gateway.dialects.telnyx import shapes
from gateway.dialects.telnyx.shapes import success
from gateway.errors import Kind, Refusal, refuse
from gateway.fax import Fax, Origin
from gateway.fetch import Fetcher
from gateway.intake.once import Once
from gateway.intake.submit import Document, Kept, Remote, Submission, Submit, Supplied
from gateway.media import MAX_BYTES, Media
from gateway.store import fax_lists, media, provision
from gateway.store.blobs import Blobs
from gateway.store.database import Database, Tx, scalar
from gateway.web import repeated
from gateway.web.auth import Auth
from gateway.web.errors import Fault
from gateway.web.openapi import Common, Operation
from gateway.web.telnyx.answers import INVALID_URL, answered, invalid, pointed, problem, several
from gateway.web.telnyx.applications import own_application
from gateway.web.telnyx.body import Form, reading
from gateway.web.telnyx.caller import Caller, caller
from gateway.web.telnyx.faxes import PATH, Faxes

FIELD = "contents"
#: So many outgoing faxes of an account may be in process at once, as with Telnyx.
MOST_IN_PROCESS = 2000
_POINTERS = {
    Kind.NUMBER_INVALID.value: "/to",
    Kind.DESTINATION_NOT_ALLOWED.value: "/to",
    Kind.APPLICATION_INACTIVE.value: "/connection_id",
    Kind.CALLER_ID_MISSING.value: "/from",
    Kind.NOTHING_TO_FAX.value: "/media_url",
    Kind.DOCUMENT_BROKEN.value: f"/{FIELD}",
    Kind.DOCUMENT_ENCRYPTED.value: f"/{FIELD}",
    Kind.DOCUMENT_TOO_LARGE.value: f"/{FIELD}",
    Kind.TOO_MANY_PAGES.value: f"/{FIELD}",
    Kind.PAGES_DISAGREE.value: f"/{FIELD}",
}


class Sending:
    """Takes faxes to send. Each is one attempt: Telnyx's clients try again themselves."""

    def __init__(self, db: Database, blobs: Blobs, auth: Auth, fetcher: Fetcher, submit: Submit, shown: Faxes) -> None:
        self._db = db
        self._blobs = blobs
        self._auth = auth
        self._fetcher = fetcher
        self._submit = submit
        self._faxes = shown

    def operations(self) -> list[Operation]:
        """What is served here."""
        common: Common = {"tag": "Telnyx: faxes", "scope": Scope.SEND, "faults": shapes.PROBLEM}
        body = {
            "application/json": shapes.FAX_REQUEST,
            "multipart/form-data": shapes.FAX_FORM,
            "application/x-www-form-urlencoded": shapes.FAX_REQUEST,
        }
        shown = success(shapes.FAX)
        return [Operation("POST", PATH, self.create, summary="Send a fax", body=body, answers={202: shown}, **common)]

    async def create(self, request: web.Request) -> web.Response:
        """Answer 202 once the fax is safe; what becomes of it is told by events."""
        arrived = datetime.now(UTC)
        who = await caller(request, self._auth)
        await self._paced(who)
        async with reading(request, self._blobs, {FIELD: MAX_BYTES}) as form:
            files = form.files.get(FIELD, [])
            wish = telnyx.fax_wish(form.fields, typed=form.typed, files=len(files))
            if wish.wrong:
                raise several([problem(f"/{each.name}", each.detail, each.code) for each in wish.wrong])
            application = await self._application(who, wish)
            await self._checked(who, wish)
            file = await self._stored(who, wish)
            documents = self._documents(form, wish, file)
            once = await _once(request, who, form, arrived)
            fax = await self._take(who, _submission(who, application, wish), documents, file, once)
        return answered((await self._faxes.shown(fax))[0], status=202)

    async def _paced(self, who: Caller) -> None:
        if int(await scalar(self._db, fax_lists.length("outgoing", who.account_id)) or 0) < MOST_IN_PROCESS:
            return
        sentence = f"{MOST_IN_PROCESS} faxes are in process already; send more when some of them have ended"
        raise Fault(429, sentence, headers={"Retry-After": "30", "x-ratelimit-reset": "30"})

    async def _application(self, who: Caller, wish: telnyx.FaxWish) -> Application:
        try:
            return await own_application(self._db, who.account_id, wish.connection_id)
        except Fault:
            raise invalid("/connection_id", "connection_id is no fax application of this account") from None

    async def _checked(self, who: Caller, wish: telnyx.FaxWish) -> None:
        if not await provision.may_send_from(self._db, who.account_id, wish.from_number):
            raise invalid("/from", f"{wish.from_number} is no number of this account; register it first")
        if wish.webhook_url and (objection := await self._fetcher.objection(wish.webhook_url)):
            raise invalid("/webhook_url", f"webhook_url cannot be reached: {objection}", INVALID_URL)

    async def _stored(self, who: Caller, wish: telnyx.FaxWish) -> Media | None:
        if not wish.media_name:
            return None
        file = await media.named(self._db, who.account_id, wish.media_name)
        if file is None:
            raise _no_file()
        return file

    def _documents(self, form: Form, wish: telnyx.FaxWish, file: Media | None) -> Sequence[Document]:
        if file is not None:
            return [Kept(file.blob, file.content_type, file.name)]
        if wish.urls:
            return [Remote(url, name=urlsplit(url).path.rpartition("/")[2][:255]) for url in wish.urls]
        return [Supplied(each.spool, each.media_type, each.name) for each in form.files.get(FIELD, [])]

    async def _take(
        self, who: Caller, wish: Submission, documents: Sequence[Document], file: Media | None, once: Once | None
    ) -> Fax:
        def also(tx: Tx, fax: Fax) -> None:
            now = media.get(tx, file.id) if file is not None else None
            if file is not None and (now is None or now.blob != file.blob):
                raise refuse(Kind.INVALID, "media_name was changed or deleted meanwhile", "media_name")
            who.note(tx, Action.SENT, fax_id=fax.id)

        try:
            return await self._submit.take(wish, documents, also, once)
        except Refusal as refusal:
            if refusal.reason.temporary:
                raise
            raise pointed(refusal.reason, {**_POINTERS, "media_name": "/media_name"}) from refusal


async def _once(request: web.Request, who: Caller, form: Form, arrived: datetime) -> Once | None:
    """Return how to tell that the request was taken before: a program that got no answer sends it again."""
    try:
        key = repeated.named(request, who.account_id)
    except Refusal as refusal:
        raise pointed(refusal.reason, {}) from refusal
    files = [each.spool.file for each in form.files.get(FIELD, [])]
    return key or await repeated.counted(request, who.account_id, form.fields, files, arrived)


def _submission(who: Caller, application: Application, wish: telnyx.FaxWish) -> Submission:
    return Submission(
        account_id=who.account_id,
        application_id=application.id,
        origin=Origin.TELNYX,
        to=wish.to,
        from_number=wish.from_number,
        tries=1,
        quality=wish.quality,
        monochrome=wish.monochrome,
        black_threshold=wish.black_threshold,
        t38=wish.t38,
        from_name=wish.display_name,
        extra=wish.kept,
    )


def _no_file() -> Fault:
    return invalid("/media_name", "there is no file of this name in the media storage; upload it first")
