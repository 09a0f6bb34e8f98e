"""The settings: ``options`` says what gateway.toml may say (its sections lie beside it), ``load`` reads it."""

from gateway.settings.faxing import Telnyx
from gateway.settings.load import find, load, sample
from gateway.settings.mail import Listener, Smarthost
from gateway.settings.options import Settings
from gateway.settings.values import checked_email, duration_text, parse_duration, parse_keeping, split_address

__all__ = [
    "Listener",
    "Settings",
    "Smarthost",
    "Telnyx",
    "checked_email",
    "duration_text",
    "find",
    "load",
    "parse_duration",
    "parse_keeping",
    "sample",
    "split_address",
]
