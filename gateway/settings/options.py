"""What gateway.toml may say: every section, every key, its default and one sentence about it."""

import socket
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from gateway.fax import Quality
from gateway.settings.values import (
    LOOPBACK,
    Address,
    BlobsUrl,
    Countries,
    Country,
    DatabaseUrl,
    Duration,
    Email,
    FilePath,
    Host,
    Hostname,
    Listed,
    Networks,
    OptionalAddress,
    PublicKeys,
    WebUrl,
    resolved,
    without_password,
)

Count = Annotated[int, Field(ge=1)]
#: What libphonenumber calls a number (PhoneNumberType).
NumberType = Literal[
    "fixed_line",
    "mobile",
    "fixed_line_or_mobile",
    "toll_free",
    "shared_cost",
    "premium_rate",
    "voip",
    "personal_number",
    "pager",
    "uan",
    "voicemail",
    "unknown",
]


class Section(BaseModel):
    """A table of the settings file. Keys that it does not name are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _read_secret_files(cls, data: Any, info: ValidationInfo) -> Any:
        """Fill each key that has a KEY_file beside it with that file's text."""
        if not isinstance(data, Mapping):
            return data
        read = dict(data)
        for key in cls.model_fields:
            name = read.get(f"{key}_file")
            if not isinstance(name, str) or not name:
                continue
            if read.get(key):
                raise ValueError(f"has both {key} and {key}_file: keep one of them")
            read[key] = _secret_text(resolved(name, info), f"{key}_file")
        return read


def _secret_text(path: str, key: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ValueError(f"names {path} in {key}, which cannot be read: {why}") from None


class Node(Section):
    """This machine, among those that share one database."""

    name: Annotated[str, BeforeValidator(lambda name: name or socket.gethostname())] = Field(
        "", description="Its name in leases and logs; unique per machine. Empty: the host's name."
    )


class Database(Section):
    """Where faxes, the queue and the log of attempts are kept."""

    url: DatabaseUrl = Field(
        "sqlite:////var/lib/faxgate/faxgate.db",
        repr=False,
        description="An SQLite file (four slashes: absolute path) or postgresql://user@host/name.",
    )
    url_file: FilePath = Field("", description="A file that holds the url, when it has a password in it.")

    @field_validator("url", mode="before")
    @classmethod
    def _named(cls, url: Any) -> Any:
        return url or cls.model_fields["url"].default

    @property
    def sqlite(self) -> Path | None:
        """The SQLite file, None on PostgreSQL."""
        path = self.url.removeprefix("sqlite:///")
        return Path(path) if path != self.url else None


class Blobs(Section):
    """Where messages and documents are kept."""

    url: BlobsUrl = Field(
        "file:///var/lib/faxgate/blobs", description="A folder that only the gateway's user may read."
    )

    @property
    def folder(self) -> Path:
        """The folder."""
        return Path(self.url.removeprefix("file://"))


class Listener(Section):
    """One address where mail is taken."""

    address: Address = Field("127.0.0.1:2525", description="host:port to listen on.")
    mode: Literal["trusted", "submission", "submissions", "mx"] = Field(
        "trusted",
        description="trusted: known relays; submission: people, by STARTTLS and AUTH; submissions: the same inside "
        "TLS; mx: strangers, believed only with SPF or DKIM.",
    )
    networks: Networks = Field(LOOPBACK, description="Who may connect to a trusted listener.")
    tls_certificate: FilePath = Field("", description="PEM file of the certificate and its chain.")
    tls_key: FilePath = Field("", description="PEM file of its private key.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise ValueError("needs both tls_certificate and tls_key, or neither")
        if self.mode.startswith("submission") and not self.tls_key:
            raise ValueError(f"has mode {self.mode}, where passwords travel: give it tls_certificate and tls_key")
        if self.mode == "trusted" and not self.networks:
            raise ValueError('lets nobody in: name the relays in networks, like ["10.0.0.5"]')
        if self.mode != "trusted" and "networks" in self.model_fields_set:
            raise ValueError('has networks, which only a trusted listener knows: drop it or set mode = "trusted"')
        return self


class Smtp(Section):
    """Taking mail."""

    hostname: Annotated[Hostname, BeforeValidator(lambda name: name or socket.gethostname())] = Field(
        "",
        description="The name in the greeting, and the domain below which faxbox hosts are made. Empty: the "
        "host's name.",
    )
    max_message_bytes: Count = Field(36_700_160, description="The largest message, as it travels (base64 and all).")
    max_recipients: Count = Field(50, description="Fax numbers in one message; the rest is asked to come again.")
    max_connections: Count = Field(500, description="Connections at once, over all listeners.")
    max_connections_per_peer: Count = Field(20, description="Connections at once from one IPv4 address or IPv6 /64.")
    max_transfers: Count = Field(16, description="Messages that are received at the same time.")
    listeners: Annotated[tuple[Listener, ...], Listed] = Field(
        default_factory=lambda: (Listener(),), description="Where mail is taken."
    )


class Operator(Section):
    """The person who looks after the gateway."""

    email: Email = Field("", description="Who is told of held, unrouted and undeliverable faxes.")


class Http(Section):
    """The HTTP APIs, the carrier's webhooks and the documents that the carrier fetches."""

    address: Address = Field("127.0.0.1:8080", description="host:port to listen on; TLS is the reverse proxy's.")
    public_url: WebUrl = Field(
        "",
        description="How the carrier reaches this gateway from outside, like https://fax.example.com. Empty: "
        "it cannot, so documents are uploaded to it and it is asked for news.",
    )
    metrics_address: OptionalAddress = Field(
        "", description="host:port where /metrics listens apart from everything else. Empty: beside the APIs."
    )
    max_upload_bytes: Count = Field(52_428_800, description="The largest document or request that an API takes.")


class Telnyx(Section):
    """The account at Telnyx."""

    api_key: SecretStr = Field(SecretStr(""), description="The API key (portal: API Keys).")
    api_key_file: FilePath = Field("", description="A file that holds the API key.")
    base_url: WebUrl = Field("https://api.telnyx.com/v2", description="Where the carrier's API is.")
    public_key: PublicKeys = Field(
        (),
        description="The key that webhooks are signed with (portal: Keys & Credentials, Public Key); a list "
        "while it changes. Empty: every webhook is refused.",
    )
    connection_id: str = Field("", description="The fax application that is used when an application names none.")


class CarrierSection(Section):
    """Who carries the faxes over the telephone network."""

    kind: Literal["telnyx"] = Field("telnyx", description="Which carrier.")
    settle_delay: Duration = Field(
        timedelta(seconds=5), description="Before the first look at a fax that the carrier has perhaps, perhaps not."
    )
    unknown_patience: Duration = Field(
        timedelta(minutes=15), description="How long the carrier's list may leave that open before a person decides."
    )
    telnyx: Telnyx = Field(default_factory=Telnyx, description="The account at Telnyx.")


class Smarthost(Section):
    """The mail server that takes receipts and received faxes."""

    host: Host = Field("localhost", description="Its name or address.")
    port: int = Field(25, ge=1, le=65535, description="Its port.")
    tls: Literal["none", "starttls", "tls"] = Field(
        "starttls", description="none: in the clear; starttls: encrypt after connecting; tls: from the first byte."
    )
    verify: bool = Field(True, description="Whether its certificate must be valid for its name.")
    ca_file: FilePath = Field("", description="PEM file of the authorities to trust. Empty: the system's.")
    username: str = Field("", description="The user to log in as. Empty: no login.")
    password: SecretStr = Field(SecretStr(""), description="The password of that user.")
    password_file: FilePath = Field("", description="A file that holds the password.")
    sender: Email = Field(
        "", description="The address that our mails come from. Empty: fax@ and the hostname of [smtp]."
    )
    max_attachment_bytes: Count = Field(
        15_000_000, description="Larger documents are not attached; the mail says where they are."
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if bool(self.username) != bool(self.password.get_secret_value()):
            raise ValueError("needs both username and password, or neither")
        return self


class Fetch(Section):
    """Documents, media and webhooks that the gateway fetches or posts to."""

    allowed_networks: Networks = Field((), description="Private networks that their URLs may reach all the same.")


class FaxSection(Section):
    """What is sent where, and how often it is tried."""

    default_country: Country = Field("US", description="Where numbers without + are dialled, if the account says none.")
    attempts: int = Field(3, ge=1, le=20, description="Tries in all, when neither faxbox nor request says.")
    retry_delay: Duration = Field(timedelta(minutes=5), description="Before the second try; it doubles from then on.")
    allowed_countries: Countries = Field(("US", "CA"), description="Where faxes may go.")
    allowed_number_types: Annotated[tuple[NumberType, ...], Listed] = Field(
        ("fixed_line", "mobile", "fixed_line_or_mobile", "toll_free", "voip", "personal_number", "uan"),
        description="Kinds of number that may be dialled, as libphonenumber names them.",
    )
    paper: Literal["letter", "a4", "legal"] = Field("letter", description="The paper that pages are laid out on.")
    quality: Quality = Field(Quality.HIGH, description="normal: 204x98 dots per inch; high: 204x196.")


class Worker(Section):
    """Work in the background."""

    concurrency: Count = Field(8, description="Jobs at once on this machine.")
    poll_interval: Duration = Field(
        timedelta(minutes=5), description="How often the carrier is asked what its webhooks did not tell."
    )
    poll_interval_without_webhooks: Duration = Field(
        timedelta(seconds=20), description="The same where there is no public_url."
    )
    lease: Duration = Field(timedelta(seconds=60), description="After this long a silent machine's jobs go to others.")

    @field_validator("poll_interval", "poll_interval_without_webhooks", "lease")
    @classmethod
    def _positive(cls, value: timedelta) -> timedelta:
        if not value:
            raise ValueError("must be longer than nothing")
        return value


class Sandbox(Section):
    """The confined processes that open mails and documents."""

    readers: Count = Field(2, description="Processes that read mails.")
    renderers: Count = Field(2, description="Documents rendered at once.")


class Logs(Section):
    """What is written to standard error."""

    format: Literal["auto", "console", "json"] = Field(
        "auto", description="auto: console on a terminal, json anywhere else."
    )
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least that is written.")


class Settings(BaseModel):
    """All settings. ``file`` is where they were read from, None for defaults and environment alone."""

    model_config = ConfigDict(extra="forbid")

    node: Node = Field(default_factory=Node)
    database: Database = Field(default_factory=Database)
    blobs: Blobs = Field(default_factory=Blobs)
    smtp: Smtp = Field(default_factory=Smtp)
    operator: Operator = Field(default_factory=Operator)
    http: Http = Field(default_factory=Http)
    carrier: CarrierSection = Field(default_factory=CarrierSection)
    smarthost: Smarthost = Field(default_factory=Smarthost)
    fetch: Fetch = Field(default_factory=Fetch)
    fax: FaxSection = Field(default_factory=FaxSection)
    worker: Worker = Field(default_factory=Worker)
    sandbox: Sandbox = Field(default_factory=Sandbox)
    logs: Logs = Field(default_factory=Logs)

    _file: Path | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _derive_sender(self) -> Self:
        if not self.smarthost.sender:
            self.smarthost = self.smarthost.model_copy(update={"sender": f"fax@{self.smtp.hostname}"})
        return self

    @property
    def file(self) -> Path | None:
        """The settings file that was read."""
        return self._file

    @property
    def poll_interval(self) -> timedelta:
        """How often to ask the carrier for news: rarely where its webhooks reach us, often where they cannot."""
        worker = self.worker
        return worker.poll_interval if self.http.public_url else worker.poll_interval_without_webhooks

    def masked(self) -> dict[str, Any]:
        """Return everything as JSON values, with secrets replaced by asterisks: fit to be shown and logged."""
        shown = self.model_dump(mode="json")
        shown["database"]["url"] = without_password(self.database.url)
        return shown
