"""The APIs' description: valid OpenAPI 3.1, complete, and shown by a page that needs nothing from elsewhere."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.integration.web_house import House, opened

#: What is no part of an API: for the carrier, for operators, for people.
APART = ("/m/", "/decide/", "/webhooks/", "/livez", "/readyz", "/metrics", "/docs", "/openapi.json")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with opened(f"sqlite:///{tmp_path / 'faxgate.db'}", tmp_path) as house:
        yield house


async def test_the_description_is_valid_and_names_every_route(house: House) -> None:
    async with house.client.get(f"{house.origin}/openapi.json") as response:
        assert response.content_type == "application/json"
        described = await response.json()
    OpenAPIV31SpecValidator(described).validate()
    told = {(method.upper(), path) for path, methods in described["paths"].items() for method in methods}
    served = {
        (route.method, re.sub(r"\{(\w+):[^}]*\}", r"{\1}", route.resource.canonical))
        for route in routes_of(house)
        if route.resource is not None and route.method != "HEAD"
    }
    assert told == {(method, path) for method, path in served if path != "/" and not path.startswith(APART)}
    assert all(one["responses"] for methods in described["paths"].values() for one in methods.values())
    identities = [one["operationId"] for methods in described["paths"].values() for one in methods.values()]
    assert len(identities) == len(set(identities))


def routes_of(house: House) -> list[web.AbstractRoute]:
    return list(house.app.router.routes())


async def test_the_page_finds_everything_that_it_needs_here(house: House) -> None:
    async with house.client.get(f"{house.origin}/docs") as response:
        page = await response.text()
        assert "https:" not in response.headers["Content-Security-Policy"]
    wanted = re.findall(r'(?:src|href)="([^":]+)"', page)
    assert len(wanted) == 3
    for path in wanted:
        for encoding in ("gzip", "identity"):
            headers = {"Accept-Encoding": encoding}
            async with house.client.get(f"{house.origin}/{path}", headers=headers) as response:
                assert (path, response.status) == (path, 200)
                assert response.content_type in {"text/css", "text/javascript"}
                assert len(await response.read()) > 100
    async with house.client.get(f"{house.origin}/docs/LICENSE") as response:
        assert response.status == 404
