"""What ``faxgate check`` looks at, one part after the other. What is wrong names the key and what to do."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable
from datetime import UTC, datetime
from pathlib import Path

from gateway import parts
from gateway.carriers.carrier import CarrierError
from gateway.cli.check_sandbox import office, sandbox
from gateway.cli.context import answering, make_folder, opened
from gateway.cli.finding import Finding, Verdict
from gateway.errors import ConfigurationError, Refusal
from gateway.ids import new_id
from gateway.intake.desk import RESERVE_BYTES
from gateway.mail.compose import NotSent, compose
from gateway.mail.facts import Facts
from gateway.outbox.cover import load_template
from gateway.settings import Settings, duration_text
from gateway.settings.values import without_password
from gateway.smtp.listener import MX, SUBMISSIONS, Listener
from gateway.store import migrate, provision, schema
from gateway.store.blobs import Blobs
from gateway.store.database import ping
from gateway.store.folder import Folder
from gateway.telling import Tale, Telling, TellingState


async def look(settings: Settings, *, offline: bool) -> AsyncIterator[Finding]:
    """Yield what is found, in the order of need; *offline* leaves out what needs the network."""
    for finding in (*_settings_file(settings), *_user(settings)):
        yield finding
    yield await _tried("database", _database(settings))
    yield await _tried("blobs", _blobs(settings))
    if settings.database.sqlite is None and settings.blobs.folder is not None:
        yield _of_this_machine(settings.blobs.folder)
    for finding in await sandbox(settings.sandbox.service):
        yield finding
    yield office(settings.sandbox.libreoffice)
    if settings.fax.cover_template:
        yield await _tried("cover page", _cover(settings))
    yield await _tried("listeners", _listeners(settings))
    if parts.strangers(settings):
        yield await _dns(settings, offline=offline)
    for finding in _public_url(settings):
        yield finding
    for finding in await _carrier(settings, offline=offline):
        yield finding
    yield await _smarthost(settings, offline=offline)
    if not settings.operator.email:
        sentence = "[operator] email is empty: nobody is told of held, unrouted and undeliverable faxes"
        yield Finding("operator", Verdict.NOTE, sentence)


async def trial(settings: Settings, recipient: str) -> Finding:
    """Mail a trial to *recipient* through the smarthost, now."""
    telling = Telling(
        id=new_id(),
        fax_id=None,
        tale=Tale.TRIAL,
        recipient=recipient,
        message_id=f"<{Tale.TRIAL.value}.{new_id().hex}@{parts.sender(settings).host}>",
        state=TellingState.WAITING,
        created_at=datetime.now(UTC),
        facts=Facts(note="This mail was sent to try the way out.").to_json(),
    )

    async def send() -> str:
        sender = settings.smarthost
        mail = compose(telling, sender=sender.sender, attachments=[], max_attachment_bytes=sender.max_attachment_bytes)
        smarthost = parts.smarthost(settings)
        await smarthost.send(mail)
        return f"{smarthost} has taken a mail from {sender.sender} to {recipient}"

    return await _tried("trial mail", send())


async def _tried(part: str, work: Awaitable[str]) -> Finding:
    try:
        return Finding(part, Verdict.OK, await work)
    except NotSent as error:
        named = "" if "[smarthost]" in error.message else "[smarthost] host, port: "
        return Finding(part, Verdict.WRONG, named + error.message)
    except (ConfigurationError, Refusal) as error:
        return Finding(part, Verdict.WRONG, str(error))


def _settings_file(settings: Settings) -> list[Finding]:
    file = settings.file
    if file is None:
        sentence = "there is no file: defaults and environment alone; write one with: faxgate init"
        return [Finding("settings", Verdict.NOTE, sentence)]
    found = [Finding("settings", Verdict.OK, f"{file.absolute()}: every key is understood")]
    if file.stat().st_mode & 0o004 and _has_secrets(file):
        found.append(
            Finding("settings", Verdict.NOTE, f"everybody may read {file}, and it holds secrets: chmod o= {file}")
        )
    return found


def _has_secrets(file: Path) -> bool:
    keys = ("api_key =", "password =")
    return any(line.strip().startswith(keys) for line in file.read_text(encoding="utf-8").splitlines())


def _user(settings: Settings) -> list[Finding]:
    """What root may do says little about the daemon, which has a user of its own."""
    owned = settings.database.sqlite or settings.blobs.folder
    if owned is None or os.geteuid() != 0 or not owned.exists() or owned.stat().st_uid == 0:
        return []
    sentence = f"this runs as root, and {owned} belongs to another user: run it as that user to be sure"
    return [Finding("user", Verdict.NOTE, sentence)]


async def _database(settings: Settings) -> str:
    async with opened(settings) as house:
        with answering(settings):
            await house.db.write(ping)
    return f"{without_password(settings.database.url)} answers, and its schema {migrate.newest()} is the one needed"


async def _blobs(settings: Settings) -> str:
    return await asyncio.to_thread(_try_blobs, parts.blobs(settings))


def _of_this_machine(folder: Path) -> Finding:
    """Of a database that several machines may share, with documents that only this one has."""
    sentence = (
        f"[blobs] url: the database is PostgreSQL, but documents are in the folder {folder} of this machine: a second "
        "machine would fail faxes whose documents it does not have, and they are lost with this one. Keep them where "
        'all machines reach them, [blobs] url = "s3://bucket/prefix", and move them there with faxgate migrate '
        "--copy-blobs-from; where one machine shall do, back up both with faxgate backup"
    )
    return Finding("blobs", Verdict.NOTE, sentence)


def _try_blobs(blobs: Blobs) -> str:
    if isinstance(blobs, Folder) and not blobs.root.exists():
        return _without_blobs(blobs.root)
    make_folder(blobs)
    spool = blobs.spool()
    try:
        spool.write(b"faxgate check")
        blobs.remove(spool.seal())
    except OSError as error:
        raise ConfigurationError(f"[blobs] url: {blobs.place} does not take files: {error.strerror}") from None
    except Refusal as refusal:
        why = str(refusal.__cause__ or refusal).splitlines()[0]
        raise ConfigurationError(f"[blobs] url: {blobs.place} does not take objects: {why}") from None
    finally:
        spool.discard()
    free = blobs.free_bytes()
    if free < RESERVE_BYTES:
        raise ConfigurationError(
            f"[blobs] url: {blobs.place} has {free:,} bytes left; below {RESERVE_BYTES:,} no mail is taken: make room"
        )
    if not isinstance(blobs, Folder):
        return f"{blobs.place} takes objects; {free / 1e9:,.1f} GB are free for what is on its way there"
    return f"{blobs.place} takes files and syncs them; {free / 1e9:,.1f} GB are free"


def _without_blobs(root: Path) -> str:
    if not root.parent.is_dir():
        raise ConfigurationError(f"[blobs] url: the folder {root.parent} does not exist; make it, or correct the url")
    if not os.access(root.parent, os.W_OK):
        raise ConfigurationError(
            f"[blobs] url: {root} does not exist; make it, and give it to the user of faxgate serve"
        )
    return f"{root} does not exist yet; faxgate serve makes it"


async def _dns(settings: Settings, *, offline: bool) -> Finding:
    if offline:
        return Finding("dns", Verdict.SKIPPED, "no name server is asked (--offline)")
    return await _tried("dns", parts.resolver(settings).check())


async def _cover(settings: Settings) -> str:
    load_template(settings.fax.cover_template)
    return f"cover pages are made from {settings.fax.cover_template}"


async def _listeners(settings: Settings) -> str:
    described = []
    for listener in parts.listeners(settings):
        tls = "without TLS"
        if listener.context():
            tls = "inside TLS" if listener.mode == SUBMISSIONS else "with STARTTLS"
        described.append(f"{listener.address} from {_senders(listener)}, {tls}")
    return f"mail is taken at {'; '.join(described)}"


def _senders(listener: Listener) -> str:
    if listener.mode == MX:
        return "everybody whose mail proves its sender (mx)"
    if listener.logins:
        return f"users who log in ({listener.mode})"
    return ", ".join(str(network) for network in listener.networks)


def _public_url(settings: Settings) -> list[Finding]:
    url = settings.http.public_url.rstrip("/")
    if not url:
        every = duration_text(settings.poll_interval)
        sentence = (
            "no public_url: documents go through the carrier's media storage, "
            f"status and received faxes are found by polling every {every}"
        )
        return [Finding("public_url", Verdict.OK, sentence)]
    sentence = f"documents are fetched from {url}/m/... and webhooks come to {url}/webhooks/telnyx"
    found = [Finding("public_url", Verdict.OK, sentence)]
    if not settings.carrier.telnyx.public_key:
        sentence = (
            "[carrier.telnyx] public_key is empty, so every webhook is refused; "
            "copy it from the carrier's portal (Keys & Credentials, Public Key)"
        )
        found.append(Finding("webhooks", Verdict.WRONG, sentence))
    return found


async def _carrier(settings: Settings, *, offline: bool) -> list[Finding]:
    missing = Verdict.NOTE if offline else Verdict.WRONG
    account, found = settings.carrier.telnyx, []
    if not account.connection_id and await _needs_connection(settings):
        sentence = (
            "[carrier.telnyx] connection_id is empty, and a faxbox's application names none of its own; "
            "give it the id of the fax application in the carrier's portal"
        )
        found.append(Finding("carrier", missing, sentence))
    if not account.api_key.get_secret_value():
        sentence = "[carrier.telnyx] api_key is empty, so nothing can be sent; copy one from the carrier's portal"
        found.append(Finding("carrier", missing, sentence))
    elif offline:
        found.append(Finding("carrier", Verdict.SKIPPED, f"{account.base_url} is not asked (--offline)"))
    else:
        found.append(await _tried("carrier", _ask_carrier(settings)))
    return found


async def _ask_carrier(settings: Settings) -> str:
    carrier = parts.carrier(settings)
    try:
        return await carrier.check()
    except CarrierError as error:
        key, remedy = "base_url", "check it, and the way from here to there"
        if error.status in {401, 403}:
            key, remedy = "api_key", "copy a valid one from the carrier's portal"
        raise ConfigurationError(f"[carrier.telnyx] {key}: {error}; {remedy}") from None
    finally:
        await carrier.close()


async def _needs_connection(settings: Settings) -> bool:
    """Say whether a faxbox sends through an application without a connection of its own."""
    try:
        async with opened(settings) as house:
            programs = await house.db.rows(provision.all_of(schema.applications))
            used = {row["application_id"] for row in await house.db.rows(provision.all_of(schema.faxboxes))}
    except (ConfigurationError, Refusal):
        return False  # told before, with the database
    return any(row["id"] in used and not row["upstream_connection_id"] for row in programs)


async def _smarthost(settings: Settings, *, offline: bool) -> Finding:
    if not offline:
        return await _tried("smarthost", _ask_smarthost(settings))

    async def made() -> str:
        return f"{parts.smarthost(settings)} is not asked (--offline)"

    finding = await _tried("smarthost", made())
    return finding if finding.verdict is Verdict.WRONG else Finding("smarthost", Verdict.SKIPPED, finding.sentence)


async def _ask_smarthost(settings: Settings) -> str:
    return await parts.smarthost(settings).check()
