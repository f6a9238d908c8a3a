"""Keys: where they come from, and that nobody without one gets an answer."""

import re

import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from affectspace.app.service.api_key import KeyHolders, read_key
from affectspace.errors import InputError

KEY = "0123456789abcdef"


def test_a_key_is_read_from_a_file_or_else_from_the_environment(tmp_path):
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    assert read_key(file, {"AFFECTSPACE_API_KEY": "x" * 20}) == KEY
    assert read_key(None, {"AFFECTSPACE_API_KEY": f" {KEY} "}) == KEY
    assert read_key(None, {}) is None


@pytest.mark.parametrize("key", ["short", "", "fifteen-signs-1", "with a blank within", "grüße-an-alle-zusammen"])
def test_a_key_that_is_guessed_or_cannot_be_sent_is_refused(tmp_path, key):
    file = tmp_path / "key"
    file.write_text(key)
    with pytest.raises(
        InputError, match=re.escape(f"the API key of {file} has {len(key)} characters; legal: at least 16")
    ):
        read_key(file)


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(InputError, match=r"--api-key-file .*gone cannot be read: No such file"):
        read_key(tmp_path / "gone")


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": KEY}, {"authorization": f"Bearer {KEY}x"}, {"authorization": f"Basic {KEY}"},
     {"authorization": "Bearer"}, {"authorization": "Bearer ÿ"}, {"x-api-key": KEY}],
)  # fmt: skip
def test_nobody_without_the_key_is_answered(headers):
    client = TestClient(KeyHolders(PlainTextResponse("secret"), KEY, frozenset({"/health"})))
    encoded = {name: value.encode("latin-1") for name, value in headers.items()}
    answer = client.get("/", headers=encoded)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["error"].startswith(
        "the request brings no key that is known; send it as Authorization: Bearer"
    )
    assert client.get("/health", headers=encoded).text == "secret"
    assert client.get("/health/../", headers=encoded).status_code == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_who_has_the_key_is_answered(scheme):
    client = TestClient(KeyHolders(PlainTextResponse("secret"), KEY))
    assert client.get("/", headers={"authorization": f"{scheme} {KEY}"}).text == "secret"
