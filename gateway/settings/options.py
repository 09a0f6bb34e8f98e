"""What gateway.toml may say: every section with its keys, their defaults and a sentence about each."""

from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from gateway.settings.faxing import CarrierSection, FaxSection
from gateway.settings.house import Blobs, Database, Dns, Logs, Node, Operator, Sandbox, Worker
from gateway.settings.http import Fetch, Http
from gateway.settings.limits import LimitsSection
from gateway.settings.mail import Smarthost, Smtp
from gateway.settings.retention import Retention
from gateway.settings.values import without_password


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
    dns: Dns = Field(default_factory=Dns)
    limits: LimitsSection = Field(default_factory=LimitsSection)
    retention: Retention = Field(default_factory=Retention)
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
