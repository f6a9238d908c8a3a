"""Bodies under limits, forms taken apart, and nothing left of them."""

import asyncio
import os
import re

import pytest
from starlette.requests import ClientDisconnect, Request

from affectspace.app.refused import Refused
from affectspace.app.service import uploads
from affectspace.app.service.limits import Admission, Limits
from affectspace.app.service.uploads import Upload, as_file, json_of, received, refuse_other_kind, uploads_of


def form(*parts, boundary="x"):
    body = b""
    for name, filename, content in parts:
        named = f'; filename="{filename}"' if filename is not None else ""
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'.encode()
        body += content + b"\r\n"
    return body + f"--{boundary}--\r\n".encode()


def take(messages, limits=None, headers=()):
    """What is received of such messages, and what is held while it is, and after."""
    admission = Admission(limits or Limits())
    waiting = list(messages)

    async def receive():
        if not waiting:
            await asyncio.Event().wait()
        return waiting.pop(0)

    async def main():
        scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": list(headers)}
        async with received(Request(scope, receive), limits or Limits(), admission) as body:
            return bytes(body), admission.bytes

    try:
        return asyncio.run(main())
    finally:
        assert admission.bytes == 0


def part(content, more=True):
    return {"type": "http.request", "body": content, "more_body": more}


def test_a_body_in_parts_is_whole_and_is_held_while_it_is_there():
    assert take([part(b"ab"), part(b""), part(b"c", False)]) == (b"abc", 3)


def test_a_body_that_is_too_large_is_refused_by_what_it_says_and_by_what_it_is():
    small = Limits(megabytes=1e-5)
    told = "the request has 11 bytes or more; legal: 10, so send fewer files, or smaller ones"
    for messages, headers in (([], [(b"content-length", b"11")]), ([part(b"123456"), part(b"12345")], [])):
        with pytest.raises(Refused, match=re.escape(told)) as raised:
            take(messages, small, headers)
        assert raised.value.status == 413


def test_a_client_that_stops_sending_is_cut(monkeypatch):
    monkeypatch.setattr(uploads, "PATIENCE", 0.01)
    with pytest.raises(Refused, match=r"2 bytes have come in 0\.0 s; legal: 16,000 a second after") as raised:
        take([part(b"ab")])
    assert raised.value.status == 408


def test_a_client_that_leaves_is_noticed():
    with pytest.raises(ClientDisconnect):
        take([part(b"ab"), {"type": "http.disconnect"}])


def test_the_memory_of_all_together_is_bounded():
    limits = Limits(megabytes=200)
    admission = Admission(limits)
    admission.hold(limits.held - 1)
    with pytest.raises(Refused) as raised:
        admission.hold(2)
    assert (raised.value.status, raised.value.retry_after) == (429, 1)
    admission.hold(-limits.held + 1)
    assert admission.bytes == 0


def test_files_of_a_form_come_in_their_order_with_their_names():
    body = form(
        ("file", "a.wav", b"RIFF\r\n--y"), ("file", "../../etc/passwd", b""), ("file", "ü.wav", bytes(range(256)))
    )
    found = uploads_of("multipart/form-data; boundary=x", body, most=3)
    assert [(each.name, bytes(each.content)) for each in found] == [
        ("a.wav", b"RIFF\r\n--y"),
        ("../../etc/passwd", b""),
        ("ü.wav", bytes(range(256))),
    ]


@pytest.mark.parametrize(
    ("content_type", "body", "status", "told"),
    [
        ("text/plain", b"x", 415, "the content type is 'text/plain'; legal: multipart/form-data with a boundary"),
        ("multipart/form-data", b"x", 415, "the content type is 'multipart/form-data'; legal"),
        ("multipart/form-data; boundary=x", b"", 422, "the form ends before its last boundary; send it whole"),
        ("multipart/form-data; boundary=x", b"--x\r\nno header\r\n\r\n", 422, "the form cannot be read: "),
        ("multipart/form-data; boundary=" + "x" * 300, b"", 422, "the form cannot be read: Boundary length 300"),
        (
            "multipart/form-data; boundary=x",
            form(("file", "a", b"b"))[:-4],
            422,
            "the form ends before its last boundary",
        ),
        (
            "multipart/form-data; boundary=x",
            form(("name", None, b"b")),
            422,
            "the form has a value in the field 'name'",
        ),
        (
            "multipart/form-data; boundary=x",
            form(("file", None, b"b")),
            422,
            "the form has a value in the field 'file'",
        ),
        (
            "multipart/form-data; boundary=x",
            form(("other", "a", b"b")),
            422,
            "the form has a file in the field 'other'",
        ),
        ("multipart/form-data; boundary=x", form(*[("file", "a", b"b")] * 3), 413, "the form holds more than 2 files"),
    ],
)
def test_what_is_no_form_of_files_is_refused(content_type, body, status, told):
    with pytest.raises(Refused, match=re.escape(told)) as raised:
        uploads_of(content_type, body, most=2)
    assert raised.value.status == status


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [("text/plain", b"{}", 415), ("application/json", b"{", 422), ("application/json", b"[]", 422),
     ("application/json", b"\xff", 422), ("application/json", b"[" * 100_000, 422)],
)  # fmt: skip
def test_what_is_no_object_of_json_is_refused(content_type, body, status):
    with pytest.raises(Refused) as raised:
        json_of(content_type, body)
    assert raised.value.status == status
    assert json_of("application/json; charset=utf-8", b'{"a": 1}') == {"a": 1}


def test_an_upload_that_lies_about_its_type_is_told_what_it_is(make_sound, make_picture):
    wav, png = bytearray(make_sound()), bytearray(make_picture())
    for medium, upload, told in (
        (
            "audio",
            Upload("a.wav", "audio/wav", png),
            "a.wav is a PNG picture, though it is sent as audio/wav; legal: rec",
        ),
        ("image", Upload("a.png", "", wav), "a.png is a WAV recording; legal: pictures (PNG, "),
        (
            "audio",
            Upload("a.png", "image/png", wav),
            "a.png is sent as image/png and is a WAV recording; send it as what",
        ),
        ("audio", Upload("a.wav", "audio/wav", bytearray(b"<html>")), "a.wav is text, though it is sent as audio/wav;"),
    ):
        with pytest.raises(Refused, match=re.escape(told)) as raised:
            refuse_other_kind(upload, medium)
        assert raised.value.status == 415
    for declared in ("audio/wav", "audio/flac", "application/octet-stream", "", "video/ogg"):
        refuse_other_kind(Upload("a", declared, wav), "audio")
    with pytest.raises(Refused, match="a is empty; send the file itself") as raised:
        refuse_other_kind(Upload("a"), "audio")
    assert raised.value.status == 422


@pytest.mark.parametrize("in_memory", [True, False])
def test_an_upload_is_a_file_only_while_it_is_needed(monkeypatch, tmp_path, in_memory):
    if in_memory and not uploads.IN_MEMORY:
        pytest.skip("this system has no files without a name")
    monkeypatch.setattr(uploads, "IN_MEMORY", in_memory)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    paths = []

    def fails():
        with as_file(b"abc") as path:
            paths.append(path)
            with open(path, "rb") as file:
                assert file.read() == b"abc"
            assert len([*tmp_path.iterdir()]) == (not in_memory)
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert not os.path.exists(paths[0])
    assert [*tmp_path.iterdir()] == []
