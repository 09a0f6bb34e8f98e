"""Where the secret of a request is found, and in which order."""

import base64

import pytest
from aiohttp.test_utils import make_mocked_request

from gateway.web.auth import presented


@pytest.mark.parametrize(
    ("path", "headers", "secret"),
    [
        ("/", {}, ""),
        ("/", {"X-Auth-Token": "one"}, "one"),
        ("/?auth_token=two", {}, "two"),
        ("/?auth_token=two", {"X-Auth-Token": "one", "Authorization": "Bearer three"}, "one"),
        ("/?auth_token=two", {"Authorization": "Bearer three"}, "two"),
        ("/?auth_token=", {"X-Auth-Token": " ", "Authorization": "Bearer three"}, "three"),
        ("/", {"Authorization": "bEARER  three "}, "three"),
        ("/", {"Authorization": "three"}, "three"),
        ("/", {"Authorization": "Basic fxg_three"}, "fxg_three"),
        ("/", {"Authorization": f"Basic {base64.b64encode(b'user:three').decode()}"}, "three"),
        ("/", {"Authorization": f"Basic {base64.b64encode(b'three:').decode()}"}, "three"),
        ("/", {"Authorization": f"Basic {base64.b64encode(b'user:a:b').decode()}"}, "a:b"),
        ("/", {"Authorization": "Basic /w=="}, "/w=="),
        ("/", {"Authorization": "Digest three"}, ""),
        ("/", {"Authorization": ""}, ""),
    ],
)
def test_the_secret_of_a_request(path: str, headers: dict[str, str], secret: str) -> None:
    assert presented(make_mocked_request("GET", path, headers=headers)) == secret
