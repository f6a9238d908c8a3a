"""What openSMILE gives, and what becomes of recordings for which it gives nothing."""

import importlib.util
import signal
import subprocess
import sys
import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from affectspace.errors import InputError, MediaError
from affectspace.features import FeatureStore, Functionals
from affectspace.features import functionals as module
from affectspace.media import read_audio, write_audio
from affectspace.training.recipe_features import FunctionalsSet

opensmile = pytest.importorskip("opensmile")


def voice(seconds=0.6, seed=0):
    """A buzz with a moving pitch and some noise: voiced frames and unvoiced ones."""
    time = np.arange(int(16000 * seconds)) / 16000
    buzz = np.sign(np.sin(2 * np.pi * (120 * time + 20 * time**2))) * (time > 0.1)
    return (0.2 * buzz + np.random.default_rng(seed).normal(0, 0.01, len(time))).astype(np.float32)


@pytest.fixture(scope="module")
def media(tmp_path_factory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("media")
    for number in range(3):
        write_audio(folder / f"{number}.wav", voice(seed=number), 16000)
    write_audio(folder / "short.wav", voice(0.04), 16000)
    names = ["0", "1", "2", "short"]
    return pd.DataFrame({"id": names, "path": [str(folder / f"{name}.wav") for name in names]})


@pytest.mark.parametrize("name", module.FUNCTIONALS)
def test_equal_to_opensmile_itself_on_the_same_file(media, name):
    frontend = Functionals(name)
    theirs = opensmile.Smile(opensmile.FeatureSet[name]).process_file(media["path"][0])
    ours = frontend(media["path"][0])
    assert ours.dtype == np.float32
    assert ours.shape == (1, frontend.dimensions) == theirs.shape
    assert np.array_equal(ours, theirs.to_numpy())


@pytest.mark.parametrize(("name", "numbers"), [("IS10", 1582), ("eGeMAPSv02", 88), ("ComParE_2016", 6373)])
def test_a_part_of_a_recording_is_heard_as_if_it_were_the_whole(tmp_path, name, numbers):
    sound = voice(1.5)
    write_audio(tmp_path / "whole.wav", sound, 16000)
    write_audio(tmp_path / "part.wav", sound[8000:19200], 16000)
    frontend = Functionals(name)
    part = frontend(tmp_path / "whole.wav", start=0.5, end=1.2)
    assert part.shape == (1, numbers)
    assert np.array_equal(part, frontend(tmp_path / "part.wav"))


@pytest.mark.real
def test_equal_to_opensmile_itself_on_real_speech(real_data):
    path = real_data / "speech/emodb/audio/03a01Fa.flac"
    theirs = opensmile.Smile("ComParE_2016").process_file(str(path)).to_numpy()
    assert np.array_equal(Functionals()(path), theirs)


def test_processes_and_the_store_change_nothing_and_the_short_one_is_set_aside(tmp_path, media):
    frontend = Functionals("eGeMAPSv02")
    alone = FeatureStore(tmp_path / "alone").extract(media, frontend, workers=1, max_bad_share=0.3)
    several = FeatureStore(tmp_path / "several").extract(media, frontend, workers=2, max_bad_share=0.3)
    assert np.array_equal(alone.values, several.values)
    assert alone.lengths.tolist() == [1, 1, 1]
    assert alone.quarantine["id"].tolist() == ["short"]
    assert "0.0400 s of sound are too short for openSMILE's eGeMAPSv02; leave it out" in str(
        alone.quarantine["reason"][0]
    )


def test_opensmile_does_not_ask_which_packages_are_installed(monkeypatch):
    """It takes a third of a second, for a name of the distribution that nobody reads."""
    import audobject.core.utils

    from affectspace.features.functionals import _smile

    monkeypatch.setattr(audobject.core.utils, "packages_distributions", lambda: pytest.fail("it reads them all"))
    monkeypatch.setattr(audobject.core.utils, "PACKAGES_DISTRIBUTIONS", {})
    _smile.cache_clear()
    noise = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
    assert Functionals("eGeMAPSv02").compute(noise).shape == (1, 88)


def test_without_a_voiced_frame_pitch_is_zero_and_nothing_is_nan():
    hiss = np.random.default_rng(0).normal(0, 0.001, 16000).astype(np.float32)
    values = Functionals("eGeMAPSv02").compute(hiss)[0]
    names = opensmile.Smile("eGeMAPSv02").feature_names
    assert values[names.index("F0semitoneFrom27.5Hz_sma3nz_amean")] == 0
    assert np.isfinite(values).all()


def test_a_number_that_is_not_finite_is_told_by_its_name(monkeypatch):
    made = np.array([[1.0, np.inf, np.nan]])
    smile = SimpleNamespace(process_signal=lambda *_: pd.DataFrame(made), feature_names=["a", "pitch", "c"])
    monkeypatch.setattr(module, "_smile", lambda name: smile)
    with pytest.raises(MediaError, match=r"gives inf for pitch of 1\.0000 s of sound \(2 of 3 numbers are not"):
        Functionals().compute(np.zeros(16000))


def test_an_interrupt_waits_for_the_end_and_is_not_lost(monkeypatch):
    """Within a callback of openSMILE it would be swallowed, and the recording taken for too short."""
    done = []

    def process_signal(samples, rate):
        signal.raise_signal(signal.SIGINT)
        done.append(True)
        return pd.DataFrame([[1.0, 2.0]])

    monkeypatch.setattr(module, "_smile", lambda name: SimpleNamespace(process_signal=process_signal))
    of_pytest = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore interrupts
    try:
        with pytest.raises(KeyboardInterrupt):
            Functionals("eGeMAPSv02").compute(voice())
        assert done == [True]
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, of_pytest)


def test_a_long_recording_without_any_number_is_not_called_short(monkeypatch):
    nothing = SimpleNamespace(process_signal=lambda samples, rate: pd.DataFrame([[np.nan, np.nan]]))
    monkeypatch.setattr(module, "_smile", lambda name: nothing)
    with pytest.raises(InputError, match=r"no number of eGeMAPSv02 for 0\.6000 s of sound; try again, and leave"):
        Functionals("eGeMAPSv02").compute(voice())


def test_full_scale_does_not_turn_over():
    """openSMILE's own cast to 16 bits makes -1 of 1; a step less is what a file can hold."""
    loud = voice()
    loud[5000:5005] = 1.0
    below = np.minimum(loud, 32767 / 32768)
    frontend = Functionals("eGeMAPSv02")
    assert np.array_equal(frontend.compute(loud), frontend.compute(below))


def test_level_makes_loud_and_soft_alike():
    frontend = Functionals("eGeMAPSv02", level=-26)
    soft, loud = (frontend.compute(gain * voice()) for gain in (np.float32(0.25), np.float32(1)))
    assert np.allclose(soft, loud, rtol=0.02, atol=0.02)
    assert not np.allclose(*(Functionals("eGeMAPSv02").compute(gain * voice()) for gain in (0.25, 1)), rtol=0.02)


def test_samples_stay_as_they_are(media):
    samples = read_audio(media["path"][0])
    before = samples.copy()
    Functionals("eGeMAPSv02").compute(samples)
    assert np.array_equal(samples, before)


def test_fingerprint_tells_settings_and_versions():
    told = Functionals("eGeMAPSv02", level=-26).fingerprint
    assert told == f"functionals/1 opensmile={opensmile.__version__} set=eGeMAPSv02 level=-26.0 sample_rate=16000"
    assert Functionals(level=-26).fingerprint == Functionals(level=-26.0).fingerprint


def test_no_file_is_written_and_no_thread_or_process_is_left(tmp_path):
    program = """
import os, sys, threading
import numpy as np
from affectspace.features import Functionals
import opensmile
def tasks(): return len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else threading.active_count()
opened = []
started = {"subprocess.Popen", "os.fork", "socket.connect"}
sys.addaudithook(lambda event, args: event in started and opened.append(event))
sys.addaudithook(lambda event, args: event == "open" and args[1] not in {"r", "rb", None} and opened.append(args))
before = tasks()
Functionals("eGeMAPSv02").compute(np.random.default_rng(0).normal(0, 0.1, 16000).astype("f4"))
print(tasks() - before, opened, os.listdir("."))
"""
    ran = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["0", "[]", "[]"]


def test_no_warning_of_opensmile_reaches_the_user():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(MediaError):
            Functionals("eGeMAPSv02").compute(voice(0.02))


def test_sets_are_those_of_opensmile_and_of_recipes():
    assert set(module.FUNCTIONALS) == set(FunctionalsSet.__args__) <= set(opensmile.FeatureSet.__members__)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"set": "ComParE"}, r"openSMILE has no set 'ComParE' here; legal: ComParE_2016, eGeMAPSv02"),
        ({"level": 3}, r"level is 3 dB; full scale is 0"),
    ],
)
def test_errors_say_value_and_remedy(settings, message):
    with pytest.raises(InputError, match=message):
        Functionals(**settings)


def test_without_opensmile_the_remedy_is_named_and_everything_else_works(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *_: None if name == "opensmile" else found(name, *_))
    with pytest.raises(InputError, match=r'not installed; pip install "affectspace\[functionals\]".*or use log_mel'):
        Functionals()
