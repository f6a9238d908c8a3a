"""Only who was given the token is answered, and only the page itself changes anything."""

import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from affectspace.app.explorer.access import OwnerOnly

HOME, TOKEN = "http://127.0.0.1:8765", "told-to-the-owner"  # as the fixtures have them

SAID = {"item": "mine/00", "old": "happy", "new": "sad"}


def test_the_token_becomes_a_cookie_that_no_other_site_can_use(stranger):
    answer = stranger.get("/", params={"token": TOKEN})
    assert answer.status_code == 200
    assert 'content="0; url=/"' in answer.text  # it goes on by itself, as a visit of its own
    assert TOKEN not in answer.text
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"affectspace-8765={TOKEN};")
    assert "httponly" in cookie.lower()
    assert "samesite=strict" in cookie.lower()
    assert stranger.get("/api/about").status_code == 200


@pytest.mark.parametrize("path", ["/", "/api/about", "/api/audio/1", "/page/main.js", "/lib/points.js", "/nowhere"])
def test_nobody_else_on_the_machine_is_answered(stranger, path):
    answer = stranger.get(path)
    assert answer.status_code == 403
    assert "pen the address that affectspace explore has printed" in answer.text


@pytest.mark.parametrize("token", ["", "wrong", f"{TOKEN}x", "\N{SNOWMAN}"])
def test_a_wrong_token_is_no_token(stranger, token):
    assert stranger.get("/", params={"token": token}).status_code == 403
    stranger.cookies.set("affectspace-8765", "wrong")
    assert stranger.get("/api/about").status_code == 403


@pytest.mark.parametrize("cookie", ["who@else=1", "{json}=1", "[a]=1", 'told={"a": [1]}'])
def test_cookies_of_other_servers_on_the_machine_are_no_fault(stranger, cookie):
    own = f"affectspace-8765={TOKEN}"
    assert stranger.get("/api/about", headers={"cookie": f"{cookie}; {own}"}).status_code == 200
    assert stranger.get("/api/about", headers={"cookie": cookie}).status_code == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1:9999", "null", "http://localhost:8765"])
def test_a_page_of_somebody_else_changes_nothing(client, corpus, origin):
    answer = client.post("/api/corrections", json=SAID, headers={"origin": origin})
    assert answer.status_code == 403
    assert answer.json() == {"error": f"the origin is {origin!r}; legal: the explorer's own page"}
    assert not (corpus / "corrections.jsonl").exists()


def test_a_form_of_somebody_else_changes_nothing(client, corpus):
    del client.headers["origin"]
    assert client.post("/api/corrections", json=SAID).status_code == 403
    sent = client.post("/api/corrections", data=SAID, headers={"origin": HOME})
    assert sent.status_code == 415
    assert not (corpus / "corrections.jsonl").exists()


def test_a_forged_host_does_not_even_reach_the_token(client):
    assert client.get("/api/about", headers={"host": "evil.example:8765"}).status_code == 421


def test_what_everybody_could_read_holds_once():
    owned = OwnerOnly(PlainTextResponse("items"), "secret", "cookie", once="seen by all")
    first, second = (TestClient(owned, base_url=HOME) for _ in range(2))
    assert first.get("/", params={"token": "seen by all"}).status_code == 200
    assert first.get("/api/about").text == "items"
    answer = second.get("/", params={"token": "seen by all"})
    assert answer.status_code == 403
    assert answer.text.startswith("This address was used before, or is of an explorer that has ended")
    assert second.get("/api/about").status_code == 403


def test_no_token_for_once_is_no_token():
    owned = OwnerOnly(PlainTextResponse("items"), "secret", "cookie")
    assert TestClient(owned, base_url=HOME).get("/", params={"token": ""}).status_code == 403
