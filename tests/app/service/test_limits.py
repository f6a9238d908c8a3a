"""Limits are asked of headers, before anything is decoded."""

import re
import zlib

import pytest

from affectspace.app.refused import Refused
from affectspace.app.service.limits import Admission, Limits, refuse_picture, refuse_recording, refuse_text
from affectspace.errors import InputError


@pytest.fixture
def refused(tmp_path):
    def of(refuse, content, **limits):
        path = tmp_path / "upload"
        path.write_bytes(content)
        with pytest.raises(Refused) as raised:
            refuse(path, Limits(**limits))
        return raised.value.status, raised.value.reason.replace(str(path), "it")

    return of


def test_recordings(refused, make_sound, tmp_path):
    assert refused(refuse_recording, make_sound(0.1)) == (
        422,
        "it is 0.1 s long, too short to hear an expression in; legal: 0.3 to 60 s, so give the whole utterance",
    )
    assert refused(refuse_recording, make_sound(61, rate=8000))[0] == 413
    assert refused(refuse_recording, make_sound(3), seconds=2.5) == (
        413,
        "it is 3.0 s long; legal here: up to 2.5 s, so cut it",
    )
    assert refused(refuse_recording, make_sound(0.4, rate=96000, channels=5)) == (
        413,
        "it has 5 channels of 96,000 Hz; legal: 384,000 samples a second over all channels, so convert it to one "
        "channel of 16,000 Hz",
    )
    assert refused(refuse_recording, make_sound()[:500])[0] == 422
    (tmp_path / "upload").write_bytes(make_sound())
    refuse_recording(tmp_path / "upload", Limits())


def test_a_header_that_promises_hours_is_believed_and_refused(refused, make_sound):
    flac = bytearray(make_sound(kind="FLAC"))
    flac[21] |= 0x0F  # the number of samples is 36 bits in the first block
    flac[22:26] = b"\xff\xff\xff\xff"
    status, reason = refused(refuse_recording, flac)
    assert status == 413
    assert reason.startswith("it is 4294967.3 s long, and an answer is for one utterance")


def test_pictures(refused, make_picture, tmp_path):
    told = "it has 40 x 30 pixels; legal: 1,000 in all, so make it smaller, or cut out the face"
    assert refused(refuse_picture, make_picture(40, 30), pixels=1000) == (413, told)
    bomb = bytearray(make_picture())
    bomb[16:24] = b"\0\1\0\0\0\1\0\0"  # 65536 x 65536, in few bytes
    bomb[29:33] = zlib.crc32(bomb[12:29]).to_bytes(4, "big")
    status, _ = refused(refuse_picture, bomb)
    assert status in {413, 422}
    assert refused(refuse_picture, b"\x89PNG\r\n\x1a\n")[0] == 422


def test_texts():
    refuse_text("a" * 10, Limits(characters=10))
    with pytest.raises(Refused, match=re.escape("a text has 11 characters; legal: up to 10, so divide it")) as raised:
        refuse_text("a" * 11, Limits(characters=10))
    assert raised.value.status == 413


@pytest.mark.parametrize("given", [{"seconds": 0.1}, {"waiting": 0}, {"megabytes": -1}, {"timeout": float("nan")}])
def test_limits_that_let_nothing_through_are_none(given):
    with pytest.raises(InputError, match="legal: "):
        Limits(**given)


def test_more_than_may_wait_are_told_to_come_back():
    admission = Admission(Limits(waiting=2))
    with admission.waiting(), admission.waiting():
        assert admission.answers == 2
        for enter in (admission.waiting, admission.uploading):
            with pytest.raises(Refused) as raised, enter():
                pass
            assert (raised.value.status, raised.value.headers) == (429, {"Retry-After": "1"})
    assert (admission.answers, admission.uploads) == (0, 0)
    entered = [admission.uploading() for _ in range(9)]
    for each in entered[:8]:
        each.__enter__()
    with pytest.raises(Refused, match="8 requests are arriving"):
        entered[8].__enter__()
