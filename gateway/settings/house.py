"""The sections about this machine: its name, its storage, its work, its log."""

import socket
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator

from gateway.settings.section import Count, Section
from gateway.settings.values import BlobsUrl, DatabaseUrl, Duration, Email, FilePath, Listed, NameServer, WebUrl


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
        "file:///var/lib/faxgate/blobs",
        description="A folder that only the gateway's user may read, or s3://bucket/prefix, which several machines "
        "can share.",
    )
    endpoint: WebUrl = Field("", description="Where the S3 server is, if it is not Amazon's.")
    region: str = Field("", description="The bucket's region. Empty: as the machine's environment says, or us-east-1.")
    access_key_id: str = Field(
        "", description="Who we are at the S3 server. Empty: as the machine's environment or its role says."
    )
    secret_access_key: SecretStr = Field(SecretStr(""), description="The secret of that key.")
    secret_access_key_file: FilePath = Field("", description="A file that holds the secret.")
    spool_folder: FilePath = Field(
        "",
        description="Where what is on its way to or from a bucket is put for the moment. Empty: the system's temporary "
        "folder.",
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if bool(self.access_key_id) != bool(self.secret_access_key.get_secret_value()):
            raise ValueError("needs both access_key_id and secret_access_key, or neither")
        named = [name for name in ("endpoint", "region", "access_key_id", "spool_folder") if getattr(self, name)]
        if named and self.folder is not None:
            raise ValueError(f"has {named[0]}, which only a bucket knows: drop it or set url to s3://bucket/prefix")
        return self

    @property
    def folder(self) -> Path | None:
        """The folder, None for a bucket."""
        path = self.url.removeprefix("file://")
        return Path(path) if path != self.url else None

    @property
    def bucket(self) -> tuple[str, str]:
        """The bucket and the prefix in it; for urls that name one."""
        bucket, _, prefix = self.url.removeprefix("s3://").partition("/")
        return bucket, prefix


class Worker(Section):
    """Work in the background."""

    concurrency: Count = Field(8, description="Jobs at once on this machine.")
    poll_interval: Duration = Field(
        timedelta(minutes=5), description="How often the carrier is asked what its webhooks did not tell."
    )
    poll_interval_without_webhooks: Duration = Field(
        timedelta(seconds=20), description="The same where there is no public_url."
    )
    most_faults: Count = Field(
        8, description="A job that fails so often by a fault of the gateway itself is set aside for the operator."
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
    service: str = Field(
        "",
        description="The socket of faxgate-sandbox.service, which starts these processes as another user; empty: the "
        "daemon starts them itself.",
    )
    libreoffice: str = Field(
        "auto",
        description="LibreOffice's program folder, for word processor files; auto: where it is usually installed, if "
        "it is; off: such files are refused.",
    )


class Logs(Section):
    """What is written to standard error."""

    format: Literal["auto", "console", "json"] = Field(
        "auto", description="auto: console on a terminal, json anywhere else."
    )
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least that is written.")


class Operator(Section):
    """The person who looks after the gateway."""

    email: Email = Field("", description="Who is told of held, unrouted and undeliverable faxes.")
    outage_notice: Duration = Field(
        timedelta(minutes=15),
        description="After how long you are told that the carrier is away, and when it is back. 0: never.",
    )


class Dns(Section):
    """Where names are looked up that prove who sent a mail (mx listeners: SPF, DKIM and DMARC)."""

    servers: Annotated[tuple[NameServer, ...], Listed] = Field(
        (), description="Name servers, like 127.0.0.1:53. Empty: those of the system."
    )
    timeout: Duration = Field(timedelta(seconds=5), description="For one question, with all its tries.")
