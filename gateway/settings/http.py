"""The sections about HTTP: what is served, and what is fetched."""

from pydantic import Field

from gateway.settings.section import Count, Section
from gateway.settings.values import Address, Networks, OptionalAddress, WebUrl


class Http(Section):
    """The HTTP APIs, the carrier's webhooks and the documents that the carrier fetches."""

    address: Address = Field("127.0.0.1:8080", description="host:port to listen on; TLS is the reverse proxy's.")
    public_url: WebUrl = Field(
        "",
        description="How the carrier reaches this gateway from outside, like https://fax.example.com. Empty: "
        "it cannot, so documents are uploaded to it and it is asked for news.",
    )
    metrics_address: OptionalAddress = Field(
        "",
        description="host:port where /metrics, /livez and /readyz listen apart from everything else, whatever this "
        "process does. Empty: beside the APIs.",
    )
    max_upload_bytes: Count = Field(52_428_800, description="The largest document or request that an API takes.")


class Fetch(Section):
    """Documents, media and webhooks that the gateway fetches or posts to."""

    allowed_networks: Networks = Field((), description="Private networks that their URLs may reach all the same.")
