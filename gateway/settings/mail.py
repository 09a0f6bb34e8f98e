"""The sections about mail: the doors where it is taken, and the server that takes ours."""

import socket
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from gateway.settings.section import Count, Section
from gateway.settings.values import LOOPBACK, Address, Duration, Email, FilePath, Host, Hostname, Listed, Networks


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
    proxies: Networks = Field(
        (), description="Load balancers that say in a PROXY header (version 1 or 2) whom they speak for; they must."
    )
    bare_newlines: Networks = Field(
        (), description="Old scanners whose lone CR and LF become CR LF; from others such a mail is refused."
    )

    relays: Networks = Field(
        (), description="Mail servers of your own in front of an mx listener, whose Authentication-Results count."
    )
    authserv_id: str = Field("", description="What they call themselves there (RFC 8601), like mx.example.com.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if bool(self.relays) != bool(self.authserv_id):
            raise ValueError("needs both relays and authserv_id, or neither")
        if self.relays and self.mode != "mx":
            raise ValueError('has relays, which only an mx listener knows: drop them or set mode = "mx"')
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
    max_connections_per_minute: Count = Field(
        60, description="New connections of one IPv4 address or IPv6 /64 in a minute; trusted listeners count none."
    )
    max_transfers: Count = Field(16, description="Messages that are received at the same time.")
    listeners: Annotated[tuple[Listener, ...], Listed] = Field(
        default_factory=lambda: (Listener(),), description="Where mail is taken."
    )


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

    retry_delay: Duration = Field(
        timedelta(minutes=1),
        description="Before a mail is sent again that it did not take; it grows to sixty times that.",
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if bool(self.username) != bool(self.password.get_secret_value()):
            raise ValueError("needs both username and password, or neither")
        return self
