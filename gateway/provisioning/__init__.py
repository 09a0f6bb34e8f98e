"""The rules for accounts, tokens, applications, faxboxes and numbers: one place for the commands and the APIs."""

from gateway.provisioning.rules import Provisioning

__all__ = ["Provisioning"]
