"""What ``faxgate init`` asks: each question has an option, a guess, and a check that says what to write instead."""

import locale
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import phonenumbers
import typer
from pydantic import ValidationError

from gateway.address import parse_number
from gateway.errors import Refusal
from gateway.provisioning import fields
from gateway.settings import Settings
from gateway.settings.problems import explain

Check = Callable[[str], object]
NEEDED = {"--account", "--realm", "--country", "--timezone"}


@dataclass(slots=True)
class Answers:
    """All that was answered; "" is "none", or "later"."""

    hostname: str = ""
    account: str = ""
    realm: str = ""
    country: str = ""
    timezone: str = ""
    number: str = ""
    permit: str = ""
    recipient: str = ""
    operator: str = ""
    api_key: str = ""
    connection_id: str = ""
    public_url: str = ""
    public_key: str = ""
    smarthost: str = ""
    smarthost_tls: str = ""
    smarthost_user: str = ""
    smarthost_password: str = ""

    @property
    def smarthost_address(self) -> tuple[str, int]:
        """Host and port of the smarthost."""
        host, colon, port = self.smarthost.rpartition(":")
        return (host, int(port)) if colon and port.isdigit() else (self.smarthost, 25)

    @property
    def permitted(self) -> list[str]:
        """The permitted senders one by one."""
        return [entry.strip() for entry in self.permit.split(",") if entry.strip()]


class Questions:
    """Asks at the terminal, unless the answer was given as an option or *yes* takes every guess."""

    def __init__(self, given: dict[str, str], *, yes: bool) -> None:
        self._given = given
        self._yes = yes
        self.answers = Answers()

    def ask_all(self) -> Answers:
        """Go through the questions in their order; what was answered makes the next guesses."""
        a = self.answers
        self._ask("hostname", "The name of this fax gateway as a mail host", own_name(), setting("smtp", "hostname"))
        self._ask("account", "The first account", "Main", field(fields.text))
        self._ask("realm", "Its mail domain: faxes are mailed to NUMBER@", _domain(a.hostname), field(fields.host))
        self._ask("country", "The country that numbers without + are dialled in", own_country(), field(fields.country))
        a.country = a.country.upper()
        self._ask("timezone", "The time zone for times in mails", own_timezone(), field(fields.timezone))
        self._ask("number", "The fax number, like +12025550123 (empty: later)", "", self._number)
        self._ask("permit", "Who may send by mail: addresses or *@domain (empty: later)", "", self._permit)
        self._ask("recipient", "Who gets received faxes by mail (empty: nobody yet)", "", field(fields.email))
        self._ask("operator", "Who is told when something needs a hand", a.recipient, field(fields.email))
        self._ask("api_key", "The carrier's API key (empty: later)", "", secret=True)
        self._ask("connection_id", "The carrier's connection: the id of its fax application (empty: later)")
        url = "How the carrier reaches this gateway, like https://fax.example.com (empty: it cannot)"
        self._ask("public_url", url, "", setting("http", "public_url"))
        if a.public_url or "public_key" in self._given:
            key = "The carrier's public key, for its webhooks (empty: later)"
            self._ask("public_key", key, "", setting("carrier", "telnyx", "public_key"))
        self._ask_smarthost()
        return a

    def _ask_smarthost(self) -> None:
        a = self.answers
        self._ask("smarthost", "The mail server that takes our mails, host:port", "localhost:25", self._smarthost)
        host, port = a.smarthost_address
        local = host in {"localhost", "127.0.0.1", "::1"}
        guess = "tls" if port == 465 else "none" if local else "starttls"
        self._ask("smarthost_tls", "Its encryption: starttls, tls or none", guess, setting("smarthost", "tls"))
        if "smarthost_user" in self._given or port in {465, 587}:
            self._ask("smarthost_user", "The user to log in there as (empty: no login)")
        if a.smarthost_user:
            self._ask("smarthost_password", "The password of that user", secret=True)

    def _ask(self, name: str, text: str, guess: str = "", check: Check = str, *, secret: bool = False) -> None:
        option = "--" + name.replace("_", "-")
        value = self._given.get(name, guess if self._yes else None)
        if value is not None:
            setattr(self.answers, name, _checked(value, check, option))
            return

        def read(typed: str) -> str:
            return _checked(typed, check, option)

        answer = typer.prompt(text, guess, hide_input=secret, show_default=bool(guess), value_proc=read, err=True)
        setattr(self.answers, name, answer)

    def _number(self, text: str) -> None:
        parse_number(text, self.answers.country)

    def _permit(self, text: str) -> None:
        fields.permits("the list", [entry.strip() for entry in text.split(",")])

    def _smarthost(self, text: str) -> None:
        host, port = Answers(smarthost=text).smarthost_address
        _validated({"smarthost": {"host": host, "port": port}})


def field(check: fields.Check) -> Check:
    """Return the check of a field of an account or a faxbox."""
    return lambda text: check("it", text)


def setting(*path: str) -> Check:
    """Return the check of one key of the settings file."""

    def check(text: str) -> None:
        value: Any = text
        for name in reversed(path):
            value = {name: value}
        _validated(value)

    return check


def _validated(values: dict[str, Any]) -> None:
    try:
        Settings.model_validate(values)
    except ValidationError as error:
        first = next(iter(explain(error, "", ())))
        raise ValueError(first.removeprefix(": ")) from None


def _checked(text: str, check: Check, option: str) -> str:
    """Return *text* if it passes; an empty one does, but for what nothing can be made without."""
    text = text.strip()
    if not text.isprintable():
        raise typer.BadParameter("has characters that cannot be printed", param_hint=option)
    try:
        if text or option in NEEDED:
            check(text)
    except (ValueError, Refusal) as error:
        raise typer.BadParameter(str(error), param_hint=option) from None
    return text


# -- guesses -----------------------------------------------------------------------------------------------------------


def own_name() -> str:
    """The name of this machine, with its domain if it knows it."""
    name = socket.getfqdn()
    return name if "." in name and not name.startswith("localhost") and ":" not in name else socket.gethostname()


def own_country() -> str:
    """The country of the locale, else US."""
    territory = (locale.getlocale()[0] or "").partition("_")[2][:2].upper()
    return territory if territory in phonenumbers.SUPPORTED_REGIONS else "US"


def own_timezone() -> str:
    """The time zone of this machine, else UTC."""
    name = os.environ.get("TZ") or os.path.realpath("/etc/localtime").partition("zoneinfo/")[2]
    return name if name in available_timezones() else "UTC"


def _domain(hostname: str) -> str:
    """A mail domain has a dot at least."""
    return hostname if "." in hostname else f"fax.{hostname}"


def config_path(named: Path | None) -> Path:
    """Where the settings are written: as named by --config or FAXGATE_CONFIG, else ./gateway.toml."""
    return (named or Path(os.environ.get("FAXGATE_CONFIG") or "gateway.toml")).absolute()
