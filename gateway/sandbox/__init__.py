"""Confined processes that open what strangers send: readers for mails, and a fork per document.

The daemon talks to ``Sandbox`` and to nothing behind it. The processes start as modules of this package, so nothing is
imported here before it is asked for: they have no use for the daemon's half.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.sandbox.requests import Limits, Outputs, Source
    from gateway.sandbox.sandbox import Sandbox

__all__ = ["Limits", "Outputs", "Sandbox", "Source"]


def __getattr__(name: str) -> Any:
    if name == "Sandbox":
        from gateway.sandbox.sandbox import Sandbox  # noqa: PLC0415  # on demand, see above

        return Sandbox
    if name in __all__:
        from gateway.sandbox import requests  # noqa: PLC0415  # on demand, see above

        return getattr(requests, name)
    raise AttributeError(name)
