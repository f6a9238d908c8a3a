"""What clients send: received under limits, taken apart, told by its content, and never kept."""

import asyncio
import json
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from affectspace.app.refused import Refused
from affectspace.app.service.kinds import kind_of
from affectspace.app.service.limits import Admission, Limits

__all__ = ["FIELD", "Upload", "as_file", "json_of", "received", "refuse_other_kind", "uploads_of"]

FIELD = "file"
PATIENCE = 5.0  # seconds that any client is given for a request
SLOWEST = 16_000  # bytes a second that it must send beyond them
NAMED = 100  # characters of a file's name that are told
IN_MEMORY = hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd")  # whether files without a name can be
READS = {
    "audio": "recordings (WAV, FLAC, Ogg, MP3, AIFF, AU, CAF)",
    "image": "pictures (PNG, JPEG, GIF, BMP, TIFF, WebP, PPM)",
}


@dataclass
class Upload:
    """A file that a client has sent.

    Args:
        name: as the client calls it; it is only ever told, never opened.
        declared: its type, as the client says; empty where it does not.
        content: the file.
    """

    name: str = "the upload"
    declared: str = ""
    content: bytearray = field(default_factory=bytearray)


@asynccontextmanager
async def received(request: Request, limits: Limits, admission: Admission) -> AsyncIterator[bytearray]:
    """The body of a request, which is counted among what is held until it is answered.

    Raises:
        Refused: 413 for one that is too large, before it is read where it tells its size; 408 for one that comes
            too slowly; 429 where others fill the memory.
        ClientDisconnect: the client has gone.
    """
    promised = request.headers.get("content-length", "")
    if promised.isdecimal() and int(promised) > limits.bytes:
        raise _too_large(int(promised), limits)
    body, began, more = bytearray(), asyncio.get_running_loop().time(), True
    try:
        while more:
            patience = min(limits.timeout, PATIENCE + len(body) / SLOWEST)
            try:
                async with asyncio.timeout_at(began + patience):
                    message = await request.receive()
            except TimeoutError:
                raise Refused(
                    408,
                    f"{len(body):,} bytes have come in {patience:.1f} s; legal: {SLOWEST:,} a second after the first "
                    f"{PATIENCE:g} s, and all within {limits.timeout:g} s, so send it by a faster line or make it "
                    "smaller",
                ) from None
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            chunk = message.get("body", b"")
            if len(body) + len(chunk) > limits.bytes:
                raise _too_large(len(body) + len(chunk), limits)
            admission.hold(len(chunk))
            body += chunk
            more = message.get("more_body", False)
        yield body
    finally:
        admission.hold(-len(body))


def uploads_of(content_type: str, body: bytes | bytearray, most: int) -> list[Upload]:
    """The files of a form.

    Args:
        content_type: of the request.
        body: of the request.
        most: files that are taken.

    Raises:
        Refused: 415 for another type, 413 for more files, 422 for a form that is broken or holds something else.

    Example:
        >>> head = b'--x\\r\\nContent-Disposition: form-data; name="file"; filename="a.wav"\\r\\n'
        >>> uploads_of("multipart/form-data; boundary=x", head + b"\\r\\nRIFF\\r\\n--x--\\r\\n", most=1)
        [Upload(name='a.wav', declared='', content=bytearray(b'RIFF'))]
    """
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise Refused(
            415,
            f"the content type is {content_type[:NAMED]!r}; legal: multipart/form-data with a boundary and files in "
            f"the field {FIELD!r}, as curl --form sends it",
        )
    form = _Form(most)
    try:
        parser = MultipartParser(options[b"boundary"], form.callbacks)  # pyright: ignore[reportArgumentType]
        parser.write(body)  # pyright: ignore[reportArgumentType]
        parser.finalize()
    except FormParserError as error:
        raise Refused(422, f"the form cannot be read: {error}; send it anew, as curl --form does") from error
    if not form.ended:
        raise Refused(422, "the form ends before its last boundary; send it whole")
    if not form.uploads:
        raise Refused(422, f"the form holds no file; give at least one in the field {FIELD!r}")
    return form.uploads


def json_of(content_type: str, body: bytes | bytearray) -> dict[str, Any]:
    """The JSON object that a request holds.

    Raises:
        Refused: 415 for another type, 422 for what is no JSON, or no object.
    """
    if parse_options_header(content_type)[0] != b"application/json":
        raise Refused(415, f"the content type is {content_type[:NAMED]!r}; legal: application/json")
    try:
        value = json.loads(bytes(body))
    except (ValueError, RecursionError) as error:
        raise Refused(422, f"the body is no JSON: {str(error)[:NAMED]}; send an object") from error
    if not isinstance(value, dict):
        raise Refused(422, f"the body is JSON of another kind ({type(value).__name__}); send an object")
    return value


def refuse_other_kind(upload: Upload, medium: str) -> None:
    """Refuse a file that the model does not read, or that is something else than its sender says.

    Args:
        upload: the file.
        medium: what the model reads, ``"audio"`` or ``"image"``.

    Raises:
        Refused: 415, naming what the file is.
    """
    found = kind_of(upload.content)
    if not upload.content:
        raise Refused(422, f"{upload.name} is empty; send the file itself (curl --form {FIELD}=@NAME)")
    claimed = upload.declared.partition("/")[0].strip().lower()
    if found.medium != medium:
        lie = f", though it is sent as {upload.declared[:NAMED]}" if claimed == medium else ""
        raise Refused(415, f"{upload.name} is {found.name}{lie}; legal: {READS[medium]}")
    if claimed in {"audio", "image", "text"} and claimed != medium:
        raise Refused(
            415,
            f"{upload.name} is sent as {upload.declared[:NAMED]} and is {found.name}; send it as what it is, or as "
            "application/octet-stream",
        )


@contextmanager
def as_file(content: bytes | bytearray) -> Iterator[str]:
    """The path of a file that holds the content while the block lasts, for libraries that read nothing but files.

    Where the system has files without a name, in memory, it is one of them, so that nothing can be left behind however
    the process ends. Else it lies in a folder that only this user may enter, and is removed.

    Example:
        >>> with as_file(b"RIFF") as path, open(path, "rb") as file:
        ...     file.read()
        b'RIFF'
        >>> os.path.exists(path)
        False
    """
    if IN_MEMORY:
        with open(os.memfd_create("upload"), "wb") as file:
            file.write(content)
            file.flush()
            yield f"/proc/self/fd/{file.fileno()}"
        return
    with tempfile.TemporaryDirectory(prefix="affectspace-") as folder:
        path = os.path.join(folder, "upload")
        with open(path, "xb") as file:
            file.write(content)
        yield path


def _too_large(count: int, limits: Limits) -> Refused:
    return Refused(
        413, f"the request has {count:,} bytes or more; legal: {limits.bytes:,}, so send fewer files, or smaller ones"
    )


class _Form:
    """What the parser of a form calls back."""

    def __init__(self, most: int):
        self.uploads: list[Upload] = []
        self.ended = False
        self._most = most
        self._headers: dict[str, bytes] = {}
        self._field, self._value = b"", b""

    @property
    def callbacks(self) -> dict[str, Any]:
        return {
            "on_part_begin": self._begin, "on_header_field": self._name, "on_header_value": self._told,
            "on_header_end": self._header, "on_headers_finished": self._open, "on_part_data": self._data,
            "on_end": self._end,
        }  # fmt: skip

    def _begin(self) -> None:
        self._headers = {}

    def _name(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _told(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header(self) -> None:
        self._headers[self._field.decode("latin-1").lower()] = self._value
        self._field, self._value = b"", b""

    def _open(self) -> None:
        _, options = parse_options_header(self._headers.get("content-disposition", b""))
        name = options.get(b"name", b"").decode("utf-8", "replace")
        if name != FIELD or b"filename" not in options:
            what = "a file" if b"filename" in options else "a value"
            raise Refused(
                422, f"the form has {what} in the field {name[:NAMED]!r}; legal: files in the field {FIELD!r}"
            )
        if len(self.uploads) == self._most:
            raise Refused(413, f"the form holds more than {self._most} files; legal: {self._most}, so ask twice")
        told = options[b"filename"].decode("utf-8", "replace").strip()[:NAMED] or "the upload"
        declared = self._headers.get("content-type", b"").decode("latin-1")
        self.uploads.append(Upload(told, declared))

    def _data(self, data: bytes, start: int, end: int) -> None:
        self.uploads[-1].content += memoryview(data)[start:end]

    def _end(self) -> None:
        self.ended = True
