"""Files as people have them: other rates, other channels, cut, empty, or not audio at all."""

import struct

import numpy as np
import pytest
import soundfile

from affectspace.errors import InputError, MediaError
from affectspace.media import AudioInfo, audio_info, read_audio, samples_sha256, write_audio


def tone(seconds: float = 1.0, rate: int = 16000, hz: float = 440.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)


@pytest.mark.parametrize("ending", ["flac", "wav"])
def test_what_is_written_is_read(tmp_path, ending):
    steps = np.random.default_rng(0).integers(-32768, 32768, 5000)
    write_audio(tmp_path / f"a.{ending}", steps / 32768, 16000)
    samples = read_audio(tmp_path / f"a.{ending}")
    assert samples.dtype == np.float32
    assert np.array_equal(samples * 32768, steps)
    assert audio_info(tmp_path / f"a.{ending}") == AudioInfo(16000, 1, 5000 / 16000)


def test_full_scale_is_written_as_the_nearest_step(tmp_path):
    write_audio(tmp_path / "a.wav", np.array([1.0, -1.0]), 16000)
    assert read_audio(tmp_path / "a.wav").tolist() == [32767 / 32768, -1.0]


def test_stereo_at_96_khz_is_averaged_and_resampled(tmp_path):
    left, right = tone(1.0, 96000), 0.5 * tone(1.0, 96000)
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], 1), 96000, subtype="FLOAT")
    assert audio_info(tmp_path / "a.wav") == AudioInfo(96000, 2, 1.0)
    samples = read_audio(tmp_path / "a.wav")
    assert samples.shape == (16000,)
    assert np.abs(samples - 0.75 * tone())[200:-200].max() < 1e-4  # away from the edges, where the filter runs dry


def test_opposite_channels_cancel(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.stack([tone(), -tone()], 1), 16000, subtype="FLOAT")
    assert not read_audio(tmp_path / "a.wav").any()


def test_many_channels_in_several_blocks(tmp_path, monkeypatch):
    channels = np.random.default_rng(0).uniform(-1, 1, (1000, 5)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", channels, 16000, subtype="FLOAT")
    monkeypatch.setattr("affectspace.media.audio.BLOCK", 300)
    read, blocks = soundfile.SoundFile.read, []

    def spy(sound, frames=-1, **options):
        blocks.append(frames)
        return read(sound, frames, **options)

    monkeypatch.setattr(soundfile.SoundFile, "read", spy)
    assert read_audio(tmp_path / "a.wav") == pytest.approx(channels.mean(1), abs=1e-7)
    assert blocks == [60] * 16 + [40]  # 300 samples at a time, over all five channels


def test_resampling_never_leaves_the_scale(tmp_path):
    square = np.sign(tone(1.0, 44100, 100.0))
    soundfile.write(tmp_path / "a.wav", square, 44100, subtype="FLOAT")
    assert np.abs(read_audio(tmp_path / "a.wav")).max() == 1.0


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg"])
def test_a_part_is_the_part_of_the_whole(tmp_path, ending):
    soundfile.write(tmp_path / f"a.{ending}", tone(2.0, hz=333.3), 16000)
    whole = read_audio(tmp_path / f"a.{ending}")
    part = read_audio(tmp_path / f"a.{ending}", start=0.5, end=1.25)
    assert part == pytest.approx(whole[8000:20000], abs=1e-6)
    assert len(read_audio(tmp_path / f"a.{ending}", start=1.5)) == 8000
    assert len(read_audio(tmp_path / f"a.{ending}", end=2.04)) == 32000  # rounding of a table


def test_the_limit_is_on_the_part(tmp_path):
    write_audio(tmp_path / "a.flac", tone(3.0), 16000)
    assert len(read_audio(tmp_path / "a.flac", start=1, end=2, max_seconds=1.5)) == 16000
    with pytest.raises(MediaError, match=r"a\.flac is 3\.0 s long and at most 1\.5 s are read; cut it"):
        read_audio(tmp_path / "a.flac", max_seconds=1.5)


def test_the_limit_comes_before_decoding(tmp_path):
    write_audio(tmp_path / "a.flac", tone(3.0), 16000)
    content = bytearray((tmp_path / "a.flac").read_bytes())
    content[21] |= 0x0F
    content[22:26] = b"\xff" * 4  # the length in its header: 49 days
    (tmp_path / "a.flac").write_bytes(content)
    with pytest.raises(MediaError, match=r"is 4294967\.3 s long"):
        read_audio(tmp_path / "a.flac")


def test_a_flac_of_unknown_length(tmp_path):
    write_audio(tmp_path / "a.flac", tone(), 16000)
    content = bytearray((tmp_path / "a.flac").read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    (tmp_path / "a.flac").write_bytes(content)
    with pytest.raises(MediaError, match="does not say how long it is; write it anew"):
        read_audio(tmp_path / "a.flac")


@pytest.mark.parametrize("ending", ["wav", "aiff", "flac", "ogg", "mp3", "rf64"])
def test_half_a_file_is_not_a_shorter_recording(tmp_path, ending, capfd):
    path = tmp_path / f"a.{ending}"
    soundfile.write(path, tone(4.0), 16000, format=ending.upper())
    assert len(read_audio(path)) == 64000
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(MediaError, match=r"truncated|malformed"):
        read_audio(path)


def test_a_truncated_wav_says_how_much_is_there(tmp_path):
    write_audio(tmp_path / "a.wav", tone(), 16000)
    content = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(content[:1000])
    for read in (read_audio, audio_info):
        with pytest.raises(MediaError, match="is truncated: its header promises 32044 bytes and it has 1000; copy it"):
            read(tmp_path / "a.wav")


@pytest.mark.parametrize(("ending", "begins", "whole"), [("wav", 44, 32044), ("aiff", 54, 32054), ("rf64", 104, 32104)])
def test_what_is_cut_inside_its_header_is_told_to_be_cut_and_not_to_be_converted(tmp_path, ending, begins, whole):
    soundfile.write(tmp_path / "a.wav", tone(), 16000, format=ending.upper(), subtype="PCM_16")
    content = (tmp_path / "a.wav").read_bytes()
    assert (len(content), audio_info(tmp_path / "a.wav").seconds) == (whole, 1)
    for size in range(4, begins):
        (tmp_path / "a.wav").write_bytes(content[:size])
        with pytest.raises(MediaError) as error:
            audio_info(tmp_path / "a.wav")
        told = str(error.value)
        exact = f"a.wav is truncated: its header promises {whole} bytes and it has {size}; copy it anew"
        if size < (36 if ending == "rf64" else 8):  # the size is not told yet
            exact = (
                "it may be damaged or cut short, so copy it anew, or convert it to WAV or FLAC where it plays elsewhere"
            )
        assert told.endswith(exact)


def test_a_whole_wav_of_a_codec_that_nobody_reads_may_be_converted(tmp_path):
    write_audio(tmp_path / "a.wav", tone(), 16000)
    content = bytearray((tmp_path / "a.wav").read_bytes())
    content[20:22] = struct.pack("<H", 0x83)  # G.729
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(
        MediaError, match=r"begins as WAV and cannot be read as such: .*; it may be .* plays elsewhere$"
    ):
        audio_info(tmp_path / "a.wav")


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF - 36])
def test_a_wav_from_a_stream_is_read_to_its_end(tmp_path, size):
    write_audio(tmp_path / "a.wav", tone(), 16000)
    content = bytearray((tmp_path / "a.wav").read_bytes())
    content[40:44] = struct.pack("<I", size)
    (tmp_path / "a.wav").write_bytes(content)
    assert len(read_audio(tmp_path / "a.wav")) == 16000


def test_other_chunks_before_and_after_the_samples(tmp_path):
    write_audio(tmp_path / "a.wav", tone(), 16000)
    content = (tmp_path / "a.wav").read_bytes()
    odd = b"LIST" + struct.pack("<I", 5) + b"INFO!\0"  # a chunk of odd size is padded
    (tmp_path / "a.wav").write_bytes(content[:36] + odd + content[36:] + odd)
    assert len(read_audio(tmp_path / "a.wav")) == 16000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is an empty file of 0 bytes; copy it anew"),
        (b"These are words, not sounds.\n" * 20, "is not audio that can be read: Format not recognised; convert it"),
        (
            b"RIFF",
            r"begins as WAV and cannot be read as such: Format not recognised; it may be damaged or cut short, so "
            "copy it anew, or convert it to WAV or FLAC where it plays elsewhere$",
        ),
        (
            b"RIFF\x20\x00\x00\x00AVI LIST\x08\x00\x00\x00hdrl    odml\x04\x00\x00\x00    ",
            "is not audio that can be read",
        ),
        (b"FORM", "begins as AIFF"),
        (b"fLaC\x00\x00\x00\x22" + bytes(30), "begins as FLAC and cannot be read as such: "),
    ],
)
@pytest.mark.parametrize("ending", ["wav", "flac"])
def test_what_is_no_audio(tmp_path, content, message, ending):
    (tmp_path / f"a.{ending}").write_bytes(content)
    with pytest.raises(MediaError, match=message):
        read_audio(tmp_path / f"a.{ending}")


def test_samples_without_a_header(tmp_path):
    (tmp_path / "a.raw").write_bytes(bytes(100))
    with pytest.raises(MediaError, match="without a header; convert it to WAV or FLAC"):
        read_audio(tmp_path / "a.raw")


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(MediaError, match=r"there is no file .*b\.wav; check the path in the table"):
        read_audio(tmp_path / "b.wav")
    with pytest.raises(MediaError, match="cannot be opened: Is a directory"):
        read_audio(tmp_path)


def test_no_samples(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(0), 16000)
    with pytest.raises(MediaError, match="holds no samples; remove it"):
        read_audio(tmp_path / "a.wav")
    soundfile.write(tmp_path / "b.wav", np.zeros(1), 96000)
    with pytest.raises(MediaError, match="too short"):
        read_audio(tmp_path / "b.wav")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers(tmp_path, value):
    samples = np.stack([tone(), tone()], 1)
    samples[99, 1] = value
    soundfile.write(tmp_path / "a.wav", samples, 48000, subtype="FLOAT")
    with pytest.raises(MediaError, match="samples that are NaN or infinite; write the file anew"):
        read_audio(tmp_path / "a.wav")


def test_float_samples_on_an_integer_scale(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone() * 32768, 16000, subtype="FLOAT")
    with pytest.raises(MediaError, match="samples up to 16384 where full scale is 1; divide them"):
        read_audio(tmp_path / "a.wav")


@pytest.mark.parametrize(
    ("start", "end"),
    [(-0.1, None), (1.0, None), (0.5, 0.5), (0.6, 0.5), (0.0, 1.2), (float("nan"), 0.5), (0.0, float("inf"))],
)
def test_parts_outside_the_file(tmp_path, start, end):
    write_audio(tmp_path / "a.wav", tone(), 16000)
    with pytest.raises(MediaError, match=r"has no part from .* to .* s; it runs from 0 to 1 s"):
        read_audio(tmp_path / "a.wav", start=start, end=end)


def test_a_part_between_two_samples(tmp_path):
    write_audio(tmp_path / "a.wav", tone(), 16000)
    with pytest.raises(MediaError, match="holds no sample between"):
        read_audio(tmp_path / "a.wav", start=0.5, end=0.500001)


@pytest.mark.parametrize(
    ("name", "samples", "message"),
    [
        ("a.mp3", np.zeros(9), r"ends in '\.mp3'; audio is written as \.flac or \.wav"),
        ("a.wav", np.zeros((9, 2)), r"shape \(9, 2\); mono samples have one dimension"),
        ("a.wav", np.array([0.0, -1.5]), r"samples reach 1\.5 and must lie in \[-1, 1\]; divide them by their peak"),
        ("a.wav", np.array([0.0, np.nan]), "samples reach nan"),
    ],
)
def test_what_cannot_be_written_leaves_no_file(tmp_path, name, samples, message):
    with pytest.raises(InputError, match=message):
        write_audio(tmp_path / name, samples, 16000)
    assert not list(tmp_path.iterdir())


def test_one_recording_has_one_hash_in_every_container(tmp_path):
    for name in ("a.flac", "b.wav"):
        write_audio(tmp_path / name, tone(), 16000)
    soundfile.write(tmp_path / "c.wav", read_audio(tmp_path / "a.flac"), 16000, subtype="FLOAT")
    hashes = [samples_sha256(read_audio(tmp_path / name)) for name in ("a.flac", "b.wav", "c.wav")]
    assert len(set(hashes)) == 1
    assert samples_sha256(-read_audio(tmp_path / "a.flac")) != hashes[0]


@pytest.mark.real
def test_real_recordings(real_data):
    for corpus in ("ravdess", "emodb", "urdu", "ased"):
        path = min((real_data / "speech" / corpus / "audio").iterdir())
        samples = read_audio(path)
        assert len(samples) == round(audio_info(path).seconds * 16000)
        assert 0 < np.abs(samples).max() <= 1
