"""What the settings say, as each part wants it: for the daemon and for the commands."""

from collections.abc import Sequence

from gateway.allowance import Allowance, Allowances
from gateway.carriers.telnyx import Telnyx
from gateway.dns import Resolver
from gateway.fetch import Fetcher
from gateway.gate import Gate
from gateway.housekeeping import Rules
from gateway.intake.evidence import Relay
from gateway.limits import Limits
from gateway.mail.smarthost import Smarthost
from gateway.notify import Sender
from gateway.outbox import Policy
from gateway.provisioning import Provisioning
from gateway.settings import Settings, split_address
from gateway.smtp.door import SmtpLimits
from gateway.smtp.listener import MX, Listener
from gateway.store.blobs import Blobs
from gateway.store.carriers import Breaker
from gateway.store.database import Database
from gateway.store.folder import Folder
from gateway.store.s3 import Bucket, Place


def blobs(settings: Settings) -> Blobs:
    """Where messages and documents are. Raises ConfigurationError when the package for S3 is missing."""
    section = settings.blobs
    if section.folder is not None:
        return Folder(section.folder)
    bucket, prefix = section.bucket
    secret = section.secret_access_key.get_secret_value()
    return Bucket(
        Place(bucket, prefix, section.endpoint, section.region, section.access_key_id, secret, section.spool_folder)
    )


def carrier(settings: Settings) -> Telnyx:
    """The carrier; close it after use."""
    account = settings.carrier.telnyx
    return Telnyx(account.base_url, account.api_key.get_secret_value(), settings.carrier.timeout.total_seconds())


def gate(db: Database, settings: Settings) -> Gate:
    """The carrier behind the gate that all nodes share; close it after use."""
    section = settings.carrier
    rules = Breaker(rest=section.rest, longest=20 * section.rest)
    return Gate(db, carrier(settings), rules, section.max_per_second, probe_lasts=2 * section.timeout)


def own_url(settings: Settings) -> str:
    """Where programs reach this gateway; behind NAT those on its own machine."""
    return settings.http.public_url.rstrip("/") or f"http://{settings.http.address}"


def fetcher(settings: Settings) -> Fetcher:
    """The client for foreign URLs; close it after use."""
    return Fetcher([str(network) for network in settings.fetch.allowed_networks])


def listeners(settings: Settings) -> Sequence[Listener]:
    """Where the SMTP door listens."""
    return [
        Listener(
            listener.address,
            listener.mode,
            tuple(listener.networks),
            str(listener.tls_certificate or ""),
            str(listener.tls_key or ""),
            tuple(listener.proxies),
            tuple(listener.bare_newlines),
        )
        for listener in settings.smtp.listeners
    ]


def strangers(settings: Settings) -> bool:
    """Return whether mail of strangers is taken, who must prove who they are."""
    return any(listener.mode == MX for listener in settings.smtp.listeners)


def resolver(settings: Settings) -> Resolver:
    """Who is asked about names."""
    return Resolver([split_address(server) for server in settings.dns.servers], settings.dns.timeout.total_seconds())


def relays(settings: Settings) -> list[Relay]:
    """Mail servers of our own in front of listeners for strangers."""
    listeners = [listener for listener in settings.smtp.listeners if listener.relays]
    return [Relay(listener.authserv_id, tuple(listener.relays)) for listener in listeners]


def smtp_limits(settings: Settings) -> SmtpLimits:
    """What SMTP clients may do."""
    return SmtpLimits(
        connections=settings.smtp.max_connections,
        connections_per_peer=settings.smtp.max_connections_per_peer,
        connections_per_minute=settings.smtp.max_connections_per_minute,
        recipients=settings.smtp.max_recipients,
        data_at_once=settings.smtp.max_transfers,
    )


def policy(settings: Settings) -> Policy:
    """How to send."""
    return Policy(
        public_url=settings.http.public_url,
        connection_id=settings.carrier.telnyx.connection_id,
        retry_delay=settings.fax.retry_delay,
        settle_delay=settings.carrier.settle_delay,
        unknown_patience=settings.carrier.unknown_patience,
        lease=settings.worker.lease,
        paper=settings.fax.paper,
        pad=settings.fax.pad,
        deskew=settings.fax.deskew,
        sight=settings.fax.sight,
        deadline=settings.fax.deadline,
        delay_notice=settings.fax.delay_notice,
        carrier=settings.carrier.kind,
        max_calls=settings.carrier.max_calls,
        header=settings.fax.header,
        cover_template=settings.fax.cover_template,
    )


def limits(settings: Settings) -> Limits:
    """What may be dialled, and how much of it in a day."""
    daily = (settings.limits.account, settings.limits.faxbox, settings.limits.user)
    allowances = Allowances(*(Allowance(one.faxes, one.pages, one.new_destinations) for one in daily))
    return Limits(settings.fax.allowed_countries, settings.fax.allowed_number_types, allowances)


def sender(settings: Settings) -> Sender:
    """Who our mails come from."""
    host = settings.smarthost
    return Sender(
        host.sender, host.max_attachment_bytes, settings.operator.email, host.retry_delay, settings.http.public_url
    )


def smarthost(settings: Settings) -> Smarthost:
    """The way out for mails."""
    host = settings.smarthost
    return Smarthost(
        host.host,
        host.port,
        tls=host.tls,
        username=host.username,
        password=host.password.get_secret_value(),
        ca_file=host.ca_file or None,
        verify=host.verify,
        hostname=settings.smtp.hostname,
    )


def retention(settings: Settings) -> Rules:
    """How long things are kept."""
    kept = settings.retention
    return Rules(kept.documents, kept.records, kept.smtplog, kept.events, kept.audit, kept.at_carrier)


def provisioning(db: Database, settings: Settings) -> Provisioning:
    """The rules for accounts and what they own."""
    return Provisioning(db, mail_host=settings.smtp.hostname, country=settings.fax.default_country)
