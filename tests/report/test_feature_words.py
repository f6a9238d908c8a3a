"""Features are told in words, whatever their settings, and unknown ones as they are."""

import pytest

from affectspace.features import Faces, LogMel, Waveform
from affectspace.report.feature_words import feature_words


def test_every_front_end_of_this_version_is_told_in_words():
    assert feature_words(LogMel(bands=24, level=-20).fingerprint).startswith(
        "24 log-Mel energies of frames of 25 ms, every 10 ms, of sound at 16000 Hz, scaled to -20 dB of full scale ("
    )
    assert feature_words(Faces(side=32, colour="rgb").fingerprint).startswith(
        "pictures of 32 x 32 pixels in colour, each taken for a crop of a face as it is (faces/"
    )
    told = "functionals/1 opensmile=2.6.0 set=eGeMAPSv02 level=None sample_rate=16000"
    assert feature_words(told) == (
        "functionals eGeMAPSv02 of openSMILE, of sound at 16000 Hz (functionals/1, openSMILE 2.6.0)"
    )
    told = "relative_functionals/1 opensmile=2.6.0 set=eGeMAPSv02 level=-26.0 sample_rate=16000"
    words = (
        "how eGeMAPSv02's descriptors move within a recording at 16000 Hz, scaled to -26 dB of full scale "
        "(relative_functionals/1, openSMILE 2.6.0)"
    )
    assert feature_words(told) == words
    assert feature_words(f"{told} absolute=True") == f"functionals eGeMAPSv02 of openSMILE, and {words}"


def test_the_finder_is_named():
    found = "faces/1 pillow=11.0 side=48 colour=grey finder=[yunet/2 onnxruntime=1.19 model=ab find=largest]"
    assert feature_words(found) == (
        "crops of 48 x 48 pixels in grey, of the face that a YuNet network finds "
        "(faces/1, Pillow 11.0; yunet/2 onnxruntime=1.19 model=ab find=largest)"
    )


@pytest.mark.parametrize(
    ("encoder", "told"),
    [
        ("pixels/1 pillow=13.0 side=8", "its pixels at 8 x 8"),
        ("pretrained_images/1 transformers=5.0 content=ab", "a vector of a pretrained model"),
        ("net/3 content=cd", "a vector of a net"),
    ],
)
def test_faces_of_a_film_are_told_with_what_finds_and_what_encodes_them(encoder, told):
    settings = "frames=6 per_second=3.0 side=64 colour=grey"
    finder = "cascade/1 scikit-image=0.26 model=ab find=largest smallest=0.15"
    made = f"face_sequence/1 av=18.1 pillow=13.0 {settings} finder=[{finder}] encoder=[{encoder}]"
    assert feature_words(made) == (
        "the first 6 frames of a film, 3 a second: crops of 64 x 64 pixels in grey, of the face that the cascade of "
        f"scikit-image finds, and of each crop {told} (face_sequence/1, PyAV 18.1, Pillow 13.0; {finder}; {encoder})"
    )


@pytest.mark.parametrize("unknown", ["word_vectors/1 words=3", "faces/9 side=48", "", "x"])
def test_what_is_not_known_is_left_as_it_is(unknown):
    assert feature_words(unknown) == unknown


def test_modalities_are_told_one_after_the_other():
    vectors = "vectors/1 id_column=id columns=('a_*', 'p_*') content=ab cd"
    words = "word_vectors/1 words=22 word_column=None columns=None content=ef"
    assert feature_words(f"acoustic: {vectors} | lexical: {words} | other: x/1 y=2") == (
        "acoustic: vectors that were made before, columns a_*, p_* (vectors/1, content ab cd); "
        "lexical: the first 22 words, as vectors of a table (word_vectors/1, content ef); other: x/1 y=2"
    )
    assert feature_words("vectors/1 id_column=None columns=None content=ab") == (
        "vectors that were made before (vectors/1, content ab)"
    )


def test_what_a_speech_model_hears_and_gives():
    model = "transformers=5.0 family=wavlm"
    assert feature_words(f"pretrained_speech/1 {model} layers=0,9 pool=mean content=ab") == (
        "hidden states 0, 9 of a speech model, means over each recording "
        "(pretrained_speech/1, wavlm, transformers 5.0, content ab)"
    )
    assert "frame by frame (" in feature_words(f"pretrained_speech/1 {model} layers=0 pool=none content=ab")
    assert feature_words(Waveform(shortest=400, longest=60).fingerprint) == "samples of sound at 16000 Hz (waveform/1)"
    assert feature_words("pretrained_speech/9 layers=0") == "pretrained_speech/9 layers=0"
