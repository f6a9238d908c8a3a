"""A server answers to its own names alone."""

import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from affectspace.app.hosts import KnownHosts, loopback_hosts


@pytest.fixture
def client():
    app = KnownHosts(PlainTextResponse("hello"), loopback_hosts(80 + 8000), {"X-Own": "yes"})
    return TestClient(app, base_url="http://127.0.0.1:8080")


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "LOCALHOST:8080", "[::1]:8080"])
def test_its_own_names_are_answered(client, host):
    answer = client.get("/", headers={"host": host})
    assert (answer.status_code, answer.text) == (200, "hello")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "127.0.0.1", "127.0.0.1:8081", "127.0.0.1:8080.evil.example", ""]
)
def test_a_forged_host_gets_nowhere(client, host):
    answer = client.get("/", headers={"host": host})
    assert answer.status_code == 421
    assert answer.json() == {
        "error": f"the host of this request is {host!r}; legal: 127.0.0.1:8080, [::1]:8080, localhost:8080"
    }


def test_two_hosts_are_none(client):
    answer = client.get("/", headers=[("host", "127.0.0.1:8080"), ("host", "evil.example")])
    assert answer.status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "evil.example"])
def test_every_answer_is_careful(client, host):
    headers = client.get("/", headers={"host": host}).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["x-own"] == "yes"
