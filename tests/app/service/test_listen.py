"""A server on a real port: slow clients, broken ones, forged hosts, and an end that loses nothing."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest
import uvicorn

from affectspace.app import http_protocol
from affectspace.app.http_protocol import Impatient
from affectspace.app.listen import _Server, address_of, bound, is_loopback
from affectspace.app.service import uploads
from affectspace.app.service.routes import make_service
from affectspace.errors import InputError


@contextmanager
def served(app):
    """The port of a server in a thread."""
    with bound("127.0.0.1", 0) as taken:
        taken.listen()
        server = uvicorn.Server(uvicorn.Config(app, http=Impatient, ws="none", log_level="critical", lifespan="on"))
        thread = threading.Thread(target=server.run, args=([taken],))
        thread.start()
        try:
            yield taken.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def say(port, *pieces):
    """All that a server says to these bytes, until it closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        for piece in pieces:
            connection.sendall(piece)
        heard = b""
        while more := connection.recv(65536):
            heard += more
    head, _, body = heard.partition(b"\r\n\r\n")
    return int(head.split()[1]) if head else None, body


def upload(content, host="127.0.0.1", close=True):
    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + content + b"\r\n--x--\r\n"
    head = (
        f"POST /predict HTTP/1.1\r\nHost: {host}\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        f"Content-Length: {len(body)}\r\n" + ("Connection: close\r\n" if close else "") + "\r\n"
    )
    return head.encode() + body


def test_a_slow_head_is_cut(ears, monkeypatch):
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 0.05)
    with served(make_service(ears)) as port:
        status, body = say(port, b"POST /predict HTTP/1.1\r\nHost: a")
        assert (status, json.loads(body)) == (
            408,
            {"error": "no whole head of a request has come in 0.05 s; send it at once"},
        )
        assert say(port)[0] == 408  # not even a byte
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:  # and the second of a connection
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")
            connection.sendall(b"GET /health HT")
            heard = b""
            while more := connection.recv(65536):
                heard += more
    assert b"HTTP/1.1 408" in heard


def test_a_slow_body_is_cut_and_others_are_answered(ears, monkeypatch, make_sound):
    monkeypatch.setattr(uploads, "PATIENCE", 0.2)
    with served(make_service(ears)) as port:
        slow = []
        whole = upload(make_sound())
        thread = threading.Thread(target=lambda: slow.append(say(port, whole[:-5000])))
        thread.start()
        assert say(port, whole)[0] == 200
        thread.join()
    ((status, body),) = slow
    assert status == 408
    assert json.loads(body)["error"].endswith("so send it by a faster line or make it smaller")


def test_who_is_refused_while_sending_hears_why(ears):
    with served(make_service(ears)) as port:
        head = b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 30000000\r\n\r\n"
        status, body = say(port, head, bytes(8_000_000))
        assert status == 413
        assert json.loads(body)["error"].startswith("the request has 30,000,000 bytes or more; legal: 20,000,000")
        waits = head.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
        assert say(port, waits)[0] == 413  # not asked for its body


def test_who_brings_no_key_or_calls_another_host_hears_so_and_is_counted(ears):
    app = make_service(ears, hosts={"known.example"}, key="0123456789abcdef")
    with served(app) as port:
        for host, expected in (("known.example", 401), ("evil.example", 421)):
            head = f"POST /predict HTTP/1.1\r\nHost: {host}\r\nContent-Length: 9000000\r\n\r\n"
            assert say(port, head.encode(), bytes(8_000_000))[0] == expected
        get = b"GET %b HTTP/1.1\r\nHost: known.example\r\nConnection: close\r\n%b\r\n"
        assert say(port, get % (b"/health", b""))[0] == 200
        assert say(port, get % (b"/metrics", b""))[0] == 401
        figures = say(port, get % (b"/metrics", b"Authorization: Bearer 0123456789abcdef\r\n"))[1]
    assert b'affectspace_requests_total{route="/predict",status="401"} 1.0' in figures
    assert b'affectspace_requests_total{route="/predict",status="421"} 1.0' in figures


def test_a_client_that_leaves_costs_nothing(ears, make_sound):
    app = make_service(ears)
    with served(app) as port:
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(upload(make_sound())[:9000])
        assert say(port, upload(make_sound()))[0] == 200
        figures = say(port, b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")[1]
    assert b"affectspace_waiting 0.0" in figures
    assert app.state.service.admission.bytes == 0


def test_what_is_not_http_is_told(ears):
    with served(make_service(ears)) as port:
        status, body = say(port, b"\x16\x03\x01 hello\r\n\r\n")
    assert status == 400
    assert json.loads(body)["error"].startswith("this is not HTTP/1.1")


def test_one_connection_too_many_is_told(ears, monkeypatch):
    monkeypatch.setattr(http_protocol, "CONNECTIONS", 1)
    with served(make_service(ears)) as port, socket.create_connection(("127.0.0.1", port)) as first:
        first.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
        assert first.recv(100).startswith(b"HTTP/1.1 200")
        assert say(port)[0] == 503


def test_a_port_in_use_is_told():
    with bound("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        told = f"port {port} of 127.0.0.1 is in use; end what listens there, or choose another: --port 0 finds one"
        with pytest.raises(InputError, match=re.escape(told)):
            bound("127.0.0.1", port)
        assert address_of(taken) == f"http://127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("host", "port", "told"),
    [
        ("127.0.0.1", 70000, "--port is 70000; legal: 0"),
        ("127.0.0.1", -1, "--port is -1; legal: 0"),
        ("no.such.host.invalid", 0, "--host 'no.such.host.invalid' is no address of this machine"),
        ("a..b", 0, "--host 'a..b' is no address of this machine"),
        ("x" * 70, 0, "is no address of this machine"),
        ("192.0.2.1", 0, "--host 192.0.2.1 --port 0 cannot be taken"),
    ],
)
def test_what_cannot_be_listened_on_is_told(host, port, told):
    with pytest.raises(InputError, match=re.escape(told)):
        bound(host, port)


def test_loopback():
    assert [*map(is_loopback, ["127.0.0.1", "127.3.2.1", "::1", "localhost"])] == [True] * 4
    assert [*map(is_loopback, ["0.0.0.0", "::", "10.0.0.1", "example.org", "localhost.evil.org"])] == [False] * 5


def test_it_ends_when_it_is_asked_to_and_answers_what_has_begun(heard, make_sound):
    command = [sys.executable, "-m", "affectspace", "serve", str(heard / "run"), "--port", "0", "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    ) as process:
        assert process.stdout is not None
        address = json.loads(process.stdout.readline())["address"]
        port = int(address.rsplit(":", 1)[1])
        whole = upload(make_sound(), host=f"127.0.0.1:{port}")
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(whole[:-1000])
            assert say(port, upload(make_sound(), host="evil.example"))[0] == 421  # and it is at work
            process.send_signal(signal.SIGTERM)
            connection.sendall(whole[-1000:])
            heard_back = b""
            while more := connection.recv(65536):
                heard_back += more
        assert heard_back.startswith(b"HTTP/1.1 200")
        told = process.communicate()[1]
    assert (process.returncode, told) == (0, "")


def test_ctrl_c_is_a_way_to_end_it_and_no_fault(ears):
    before = signal.getsignal(signal.SIGINT)
    server = _Server(uvicorn.Config(make_service(ears)), ready=lambda: None)
    with server.capture_signals():
        signal.raise_signal(signal.SIGINT)
        assert server.should_exit
    assert signal.getsignal(signal.SIGINT) is before
