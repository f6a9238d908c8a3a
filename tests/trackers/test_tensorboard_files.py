"""Event files, read back by TensorBoard itself."""

import struct

import numpy as np
import pytest

pytest.importorskip("tensorboard")

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata, plugin_data_pb2
from tensorboard.util import tensor_util

from affectspace.errors import InputError
from affectspace.trackers import open_tracker, track
from affectspace.trackers.tensorboard_files import read_events
from affectspace.training import make_recipe
from affectspace.training import train as train_run


@pytest.fixture
def place(tmp_path):
    return tmp_path / "tb"


@pytest.fixture
def tell(place):
    return lambda *folders: track(folders, open_tracker("tensorboard", place))


def read(folder):
    """(tag, step) to value of all scalars, each of which is there once; and the accumulator."""
    found = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    events = [(tag, event) for tag in found.Tags()["scalars"] for event in found.Scalars(tag)]
    values = {(tag, event.step): event.value for tag, event in events}
    assert len(values) == len(events)
    return values, found


def stored(figures):
    """Figures as TensorBoard keeps them, in 32 bits."""
    return {key: float(np.float32(value)) for key, value in figures.items()}


def hyper(found):
    content = found.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    info = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info
    return {name: getattr(value, value.WhichOneof("kind")) for name, value in info.hparams.items()}


def test_what_is_read_back_is_what_the_lines_say(begin, tell, place, final, equal):
    run = begin().epochs(1, 2, 3).finish()
    tell(run.path)
    values, found = read(place / "mine")
    assert equal(values, stored(run.points() | {(name, 2): value for name, value in final.items()}))
    told = hyper(found)
    assert (told["seed"], told["labels.soft"], told["terms.0.weight"]) == (3, True, 0.1)
    assert told["labels.names"] == '["calm", "excited"]'
    text = tensor_util.make_ndarray(found.Tensors("run/text_summary")[0].tensor_proto).item()
    assert f"| data.alva.sha256 | {'a' * 64} |" in text.decode()
    assert metadata.SESSION_END_INFO_TAG in found.Tags()["tensors"]


def test_telling_again_changes_nothing_and_more_is_appended(begin, tell, place, equal):
    run = begin().epochs(1, 2)
    tell(run.path)
    (file,) = (place / "mine").iterdir()
    before, inode = file.read_bytes(), file.stat().st_ino
    tell(run.path)
    assert file.read_bytes() == before
    run.epochs(3).finish()
    tell(run.path)
    tell(run.path)
    assert file.read_bytes().startswith(before)
    assert file.stat().st_ino == inode  # a TensorBoard that has it open reads on
    values, _ = read(place / "mine")
    assert equal({key: value for key, value in values.items() if not key[0].startswith("final/")}, stored(run.points()))


def test_a_run_that_was_killed_and_resumed_has_each_epoch_once(begin, tell, place, equal):
    run = begin().epochs(1, 2, 3, 4)
    tell(run.path)
    (file,) = (place / "mine").iterdir()
    kept = file.read_bytes()
    run.rewrite(run.lines[:2])  # as it goes on from an earlier checkpoint
    tell(run.path)
    assert file.read_bytes() == kept
    run.epochs(3, 4, 5)  # with the same bits
    tell(run.path)
    assert file.read_bytes().startswith(kept)
    assert equal(read(place / "mine")[0], stored(run.points()))


def test_figures_that_are_no_longer_true_are_replaced(begin, tell, place, equal):
    run = begin().epochs(1, 2, 3)
    tell(run.path)
    run.rewrite(run.lines[:1]).epochs(2, 3, shift=1e-6)  # as it goes on on another machine
    tell(run.path)
    assert equal(read(place / "mine")[0], stored(run.points()))
    run.rewrite(run.lines[:2]).finish()  # fewer epochs than before
    tell(run.path)
    values, _ = read(place / "mine")
    assert {step for name, step in values if name == "loss/train"} == {1, 2}


def test_half_an_event_of_a_killed_writer_is_cut_off(begin, tell, place, equal):
    run = begin().epochs(1, 2).finish()
    tell(run.path)
    (file,) = (place / "mine").iterdir()
    whole = file.read_bytes()
    for length in (0, 5, 30, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:length])
        tell(run.path)
        assert read_events(file)[1] == file.stat().st_size
        values, _ = read(place / "mine")
        assert equal(
            {key: value for key, value in values.items() if not key[0].startswith("final/")}, stored(run.points())
        )


def test_a_record_that_is_no_event_is_told(begin, tell, place):
    run = begin().epochs(1)
    tell(run.path)
    (file,) = (place / "mine").iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole + struct.pack("<Q", 3) + b"crc!" + b"\xff\xff\xff" + b"crc!")
    with pytest.raises(InputError) as told:
        tell(run.path)
    assert str(told.value) == (
        f"{file} is damaged: what stands at byte {len(whole):,} is no event; remove the file, and the same command "
        "writes it anew"
    )
    file.unlink()
    tell(run.path)
    assert file.read_bytes() == whole


def test_runs_of_one_name_have_folders_of_their_own(begin, tell, place):
    runs = [begin(f"{name}/mine").epochs(1).path for name in "abc"]
    tell(*runs)
    tell(runs[2], runs[0])
    assert len(list(place.iterdir())) == 3
    assert len(list(place.glob("*/*"))) == 3


def test_a_run_that_was_trained(lay_duo, tmp_path, place, tell):
    recipe = make_recipe(lay_duo(tmp_path, monitor={"test_curve": True}))
    run = train_run(recipe, tmp_path / "duo-run", quiet=True)
    tell(run.path)
    values, _ = read(place / "duo-run")
    table = run.epochs
    for name, column in (("loss/train", "loss"), ("test_curve/uar", "test.uar")):
        assert [values[name, epoch] for epoch in table.index] == table[column].astype(np.float32).tolist()
    assert values["final/test.uar", run.selected_epochs[0]] == np.float32(run.metrics["test"]["uar"])
