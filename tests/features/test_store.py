"""What the store gives is what the front end gives, whoever else writes, and whatever dies."""

import errno
import io
import json
import multiprocessing
import os
import resource
import shutil
import time

import numpy as np
import pandas as pd
import pytest

from affectspace.errors import InputError, MediaError
from affectspace.features import FeatureStore, LogMel, growing, in_order, store, value_files
from affectspace.media import read_audio, samples_sha256, write_audio


class Halves:
    """A front end as plain as can be: 100 samples to 50 frames of two numbers."""

    fingerprint = "halves/1"
    dimensions = 2

    def read(self, path, start=None, end=None):
        return read_audio(path, start=start, end=end)

    def compute(self, samples):
        return samples.reshape(-1, 2)


@pytest.fixture
def media(tmp_path) -> pd.DataFrame:
    """Eight recordings of different lengths; the last two sound the same."""
    random = np.random.default_rng(0)
    rows = []
    for number in range(8):
        path = tmp_path / f"{number}.flac"
        if number < 7:
            write_audio(path, random.uniform(-0.5, 0.5, 1000 + 160 * number), 16000)
        else:
            write_audio(path.with_suffix(".wav"), read_audio(rows[-1][1]), 16000)
            path = path.with_suffix(".wav")
        rows.append((f"item {number}", str(path)))
    return pd.DataFrame(rows, columns=["id", "path"])


def test_the_store_holds_what_the_front_end_gives(tmp_path, media):
    features = FeatureStore(tmp_path / "store").extract(media, LogMel())
    assert list(features.ids) == list(media["id"])
    for row, (item, path) in enumerate(media.itertuples(index=False)):
        assert np.array_equal(features[row], LogMel()(path))
        assert np.array_equal(features[item], features[row])
        assert features.row_of(item) == row
        assert features.audio_sha[row] == samples_sha256(read_audio(path))
    assert features.lengths.tolist() == [len(clip) for clip in features]
    assert features.values.shape == (features.lengths.sum(), 40)
    assert features.offsets.tolist() == [0, *np.cumsum(features.lengths)[:-1]]
    assert not len(features.quarantine)


def test_identical_recordings_agree_in_their_hash(tmp_path, media):
    features = FeatureStore(tmp_path / "store").extract(media, LogMel(level=-20))
    assert features.audio_sha[6] == features.audio_sha[7]
    assert len(set(features.audio_sha)) == 7


def test_parts_of_one_file(tmp_path, media):
    parts = pd.DataFrame({"id": ["a", "b"], "path": media["path"].iloc[0], "start": [None, 0.02], "end": [0.03, None]})
    features = FeatureStore(tmp_path / "store").extract(parts.astype({"start": "Float64", "end": "Float64"}), Halves())
    samples = read_audio(media["path"].iloc[0])
    assert np.array_equal(features["a"].ravel(), samples[:480])
    assert np.array_equal(features["b"].ravel(), samples[320:])


def test_values_are_mapped_and_cannot_be_written_to(tmp_path, media):
    features = FeatureStore(tmp_path / "store").extract(media, LogMel())
    assert isinstance(features.values, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        features[0][:] = 0


def test_an_entry_is_opened_without_touching_audio(tmp_path, media):
    class Deaf(Halves):
        def read(self, path, start=None, end=None):
            raise AssertionError("audio was read")

    first = FeatureStore(tmp_path / "store").extract(media, Halves())
    again = FeatureStore(tmp_path / "store").extract(media, Deaf())
    assert np.array_equal(first.values, again.values)
    assert first.ids.tolist() == again.ids.tolist()
    assert first.audio_sha.tolist() == again.audio_sha.tolist()


@pytest.mark.parametrize(
    "change",
    [
        lambda media: media.assign(id=[f"other {item}" for item in media["id"]]),
        lambda media: media.iloc[::-1],
        lambda media: media.iloc[:-1],
        lambda media: media.assign(start=0.01),
        lambda media: media.assign(end=0.05),
        lambda media: os.utime(media["path"].iloc[3], ns=(1, 1)) or media,
    ],
)
def test_whatever_the_features_depend_on_makes_another_entry(tmp_path, media, change):
    root = tmp_path / "store"
    FeatureStore(root).extract(media, Halves())
    FeatureStore(root).extract(change(media), Halves())
    assert len(list(root.iterdir())) == 2


def test_other_settings_make_another_entry(tmp_path, media):
    root = tmp_path / "store"
    assert FeatureStore(root).extract(media, LogMel(bands=20)).dimensions == 20
    assert FeatureStore(root).extract(media, LogMel()).dimensions == 40
    assert len(list(root.iterdir())) == 2


# bad files


def test_unreadable_files_are_in_quarantine_with_their_reason(tmp_path, media):
    media = pd.concat([media, media.iloc[:1].assign(id="none", path=None)])
    (tmp_path / "2.flac").write_bytes(b"")
    (tmp_path / "4.flac").unlink()
    write_audio(tmp_path / "5.flac", np.linspace(-0.5, 0.5, 100), 16000)
    features = FeatureStore(tmp_path / "store").extract(media, LogMel(), max_bad_share=0.5)
    assert features.ids.tolist() == ["item 0", "item 1", "item 3", "item 6", "item 7"]
    assert np.array_equal(features["item 6"], LogMel()(tmp_path / "6.flac"))
    assert dict(zip(features.quarantine["id"], features.quarantine["reason"])) == {
        "item 2": f"{tmp_path / '2.flac'} is an empty file of 0 bytes; copy it anew",
        "item 4": f"there is no file {tmp_path / '4.flac'}; check the path in the table",
        "item 5": "0.0063 s of sound are too short: one frame needs 0.0250 s; leave it out",
        "none": "the item names no file",
    }
    with pytest.raises(InputError, match=r"item 'item 2' has no features: .* is an empty file"):
        features["item 2"]
    with pytest.raises(InputError, match=r"there is no item 'item 99'; the 5 ids here begin with \['item 0', 'item 1'"):
        features["item 99"]


def test_too_many_bad_files_stop_with_counts_and_reasons(tmp_path, media):
    for number in range(4):
        (tmp_path / f"{number}.flac").write_bytes(b"")
    message = (
        r"4 of 8 items have no features, and a share of 0\.25 is allowed \(max_bad_share\): "
        r"item 0: .*0\.flac is an empty file.*; item 1: .*; item 2: .*; and 1 more"
    )
    root = tmp_path / "store"
    with pytest.raises(InputError, match=message):
        FeatureStore(root).extract(media, LogMel(), max_bad_share=0.25)
    assert not list(root.iterdir())
    assert len(FeatureStore(root).extract(media, LogMel(), max_bad_share=0.5)) == 4
    with pytest.raises(InputError, match=message):  # an entry made by somebody less strict
        FeatureStore(root).extract(media, LogMel(), max_bad_share=0.25)


def test_nothing_but_bad_files_is_never_allowed(tmp_path, media):
    for path in media["path"]:
        os.unlink(path)
    with pytest.raises(InputError, match="none of 8 items can be used: "):
        FeatureStore(tmp_path / "store").extract(media, LogMel(), max_bad_share=1.0)


@pytest.mark.parametrize(
    ("made", "reason"), [(np.full((3, 2), np.nan), "NaN or infinite"), (np.zeros((0, 2)), "no frame")]
)
def test_features_that_are_none(tmp_path, media, made, reason):
    class Odd(Halves):
        def compute(self, samples):
            return made if len(samples) == 1000 else samples.reshape(-1, 2)

    quarantine = FeatureStore(tmp_path / "store").extract(media, Odd(), max_bad_share=0.2).quarantine
    assert quarantine["id"].tolist() == ["item 0"]
    assert reason in quarantine["reason"].iloc[0]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"id": ["a"]}, "the media table lacks path; it has id"),
        ({"id": [], "path": []}, "the media table has no items"),
        ({"id": ["a", None], "path": ["x", "y"]}, "row 2 of the media table has no id"),
        ({"id": ["a", "b", "a"], "path": list("xyz")}, "id 'a' occurs 2 times in the media table; ids are unique"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, rows, message):
    with pytest.raises(InputError, match=message):
        FeatureStore(tmp_path / "store").extract(pd.DataFrame(rows), LogMel())


# writing


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path, media, monkeypatch):
    class Full(io.FileIO):
        def write(self, given):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(value_files, "FileIO", Full)
    root = tmp_path / "store"
    with pytest.raises(
        InputError, match=r"features cannot be stored in .*store: the disk is full; free some space, or"
    ):
        FeatureStore(root).extract(media, LogMel())
    assert not list(root.iterdir())


def test_a_file_that_may_not_grow_leaves_nothing(tmp_path, media):
    root = tmp_path / "store"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
        with pytest.raises(InputError, match="the disk is full"):
            FeatureStore(root).extract(media, LogMel())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(root.iterdir())
    assert len(FeatureStore(root).extract(media, LogMel())) == 8


def test_a_root_that_is_a_file(tmp_path, media):
    with pytest.raises(InputError, match=r"features cannot be stored in .*0\.flac"):
        FeatureStore(tmp_path / "0.flac").extract(media, LogMel())


def test_two_writers_agree(tmp_path, media):
    """The other one finishes first, in the middle of ours."""
    theirs = []

    class Overtaken(Halves):
        def compute(self, samples):
            if not theirs:
                theirs.append(FeatureStore(tmp_path / "store").extract(media, Halves()))
            return super().compute(samples)

    ours = FeatureStore(tmp_path / "store").extract(media, Overtaken())
    assert np.array_equal(ours.values, theirs[0].values)
    assert len(list((tmp_path / "store").iterdir())) == 1


class Killed(Halves):
    """Dies after five items, as under kill -9."""

    made = 0

    def compute(self, samples):
        self.made += 1
        if self.made > 5:
            os._exit(9)
        return super().compute(samples)


class Counted(Halves):
    """Counts what it makes."""

    made = 0

    def compute(self, samples):
        self.made += 1
        return super().compute(samples)


@pytest.fixture
def killed(tmp_path, media, monkeypatch):
    """What a run that was killed after five items, each of which was on the disk, has left."""
    monkeypatch.setattr(growing, "SETTLED_SECONDS", 0.0)
    root = tmp_path / "store"
    run = multiprocessing.get_context("fork").Process(target=FeatureStore(root).extract, args=(media, Killed(), 1))
    run.start()
    run.join()
    assert run.exitcode == 9
    (left,) = root.iterdir()
    assert left.name.endswith(".partial")
    return left


def whole(tmp_path, media):
    return FeatureStore(tmp_path / "whole").extract(media, Halves())


def entry_bytes(root):
    (entry,) = root.iterdir()
    return {file.name: file.read_bytes() for file in entry.iterdir()}


def test_the_next_run_goes_on_where_a_killed_one_was(tmp_path, media, killed):
    frontend = Counted()
    features = FeatureStore(tmp_path / "store").extract(media, frontend, 1)
    assert frontend.made == 3
    assert np.array_equal(features.values, whole(tmp_path, media).values)
    assert entry_bytes(tmp_path / "store") == entry_bytes(tmp_path / "whole")


@pytest.mark.parametrize("file", ["values.npy", growing.JOURNAL])
def test_wherever_it_was_killed_the_entry_is_the_same(tmp_path, media, killed, file):
    content = (killed / file).read_bytes()
    expected = whole(tmp_path, media).values
    for end in [*range(0, len(content), max(len(content) // 40, 1)), len(content)]:
        root = tmp_path / f"cut {end}"
        shutil.copytree(killed.parent, root)
        (root / killed.name / file).write_bytes(content[:end])
        assert np.array_equal(FeatureStore(root).extract(media, Halves(), 1).values, expected)


def test_what_was_written_and_not_yet_settled_is_made_again(tmp_path, media, killed):
    journal = killed / growing.JOURNAL
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:2]))
    frontend = Counted()
    FeatureStore(tmp_path / "store").extract(media, frontend, 1)
    assert frontend.made == 6
    assert entry_bytes(tmp_path / "store") == (whole(tmp_path, media) and entry_bytes(tmp_path / "whole"))


def test_bad_files_are_remembered_as_such(tmp_path, media, monkeypatch):
    (tmp_path / "1.flac").write_bytes(b"none")
    monkeypatch.setattr(growing, "SETTLED_SECONDS", 0.0)
    root = tmp_path / "store"
    run = multiprocessing.get_context("fork").Process(target=FeatureStore(root).extract, args=(media, Killed(), 1, 0.5))
    run.start()
    run.join()
    frontend = Counted()
    features = FeatureStore(root).extract(media, frontend, 1, max_bad_share=0.5)
    assert (frontend.made, features.quarantine["id"].tolist()) == (2, ["item 1"])


def test_while_another_is_at_work_on_an_entry_each_makes_its_own(tmp_path, media, killed):
    with growing.growing_folder(tmp_path / "store" / killed.name.removeprefix(".").removesuffix(".partial")) as folder:
        assert folder == killed
        frontend = Counted()
        FeatureStore(tmp_path / "store").extract(media, frontend, 1)
        assert frontend.made == 8
    assert len([each for each in (tmp_path / "store").iterdir() if not each.name.startswith(".")]) == 1


def test_what_nobody_has_gone_on_with_is_swept_up_later(tmp_path, media, killed):
    FeatureStore(tmp_path / "store").extract(media, LogMel())
    assert killed.exists()
    then = time.time() - 1.1 * store.ABANDONED_SECONDS
    for path in [*killed.iterdir(), killed]:
        os.utime(path, (then, then))
    FeatureStore(tmp_path / "store").extract(media, LogMel(bands=20))
    assert not killed.exists()


def test_an_entry_that_another_run_finishes_is_no_fault(tmp_path, media, monkeypatch):
    """It is renamed between being listed and being looked at."""
    left = tmp_path / "store/.entry.partial"
    left.mkdir(parents=True)
    stat = type(left).stat

    def gone(path, **options):
        if path == left:
            left.rmdir()
        return stat(path, **options)

    monkeypatch.setattr(type(left), "stat", gone)
    assert len(FeatureStore(tmp_path / "store").extract(media, Halves())) == 8


@pytest.mark.parametrize("file", ["values.npy", "index.parquet", "quarantine.parquet", "about.json"])
@pytest.mark.parametrize("harm", ["gone", "cut"])
def test_a_damaged_entry_is_told(tmp_path, media, file, harm):
    root = tmp_path / "store"
    FeatureStore(root).extract(media, Halves())
    (entry,) = root.iterdir()
    if harm == "gone":
        (entry / file).unlink()
    else:
        (entry / file).write_bytes((entry / file).read_bytes()[:-20])
    with pytest.raises(InputError, match=rf"the stored features in {entry} are damaged .*; delete that folder"):
        FeatureStore(root).extract(media, Halves())


def test_an_entry_says_what_it_is(tmp_path, media):
    FeatureStore(tmp_path / "store").extract(media, LogMel())
    (entry,) = (tmp_path / "store").iterdir()
    about = json.loads((entry / "about.json").read_text())
    assert about["frontend"] == LogMel().fingerprint
    assert about["items"] == 8
    assert about["frames"] == len(np.load(entry / "values.npy"))


# processes


def test_any_number_of_workers_gives_the_same(tmp_path, media, monkeypatch):
    monkeypatch.setattr(in_order, "BATCH", 2)
    (tmp_path / "3.flac").write_bytes(b"")
    alone = FeatureStore(tmp_path / "one").extract(media, LogMel(), workers=1, max_bad_share=0.2)
    together = FeatureStore(tmp_path / "two").extract(media, LogMel(), workers=2, max_bad_share=0.2)
    assert np.array_equal(alone.values, together.values)
    assert alone.ids.tolist() == together.ids.tolist()
    assert alone.audio_sha.tolist() == together.audio_sha.tolist()
    assert alone.quarantine.equals(together.quarantine)


def test_chosen_workers_take_over_when_much_is_left(tmp_path, media, monkeypatch):
    """The first item is made here; what is left goes to others, in its order."""
    taken = []

    def others(function, items, workers, batch):
        taken.append(len(items))
        yield from map(function, items)

    monkeypatch.setattr(in_order, "_in_processes", others)
    monkeypatch.setattr(in_order, "_cores", lambda: 4)
    monkeypatch.setattr(in_order, "PROBE_SECONDS", 0)
    monkeypatch.setattr(in_order, "WORTH_SECONDS", 0)
    chosen = FeatureStore(tmp_path / "one").extract(media, LogMel())
    assert taken == [7]
    monkeypatch.setattr(in_order, "_cores", lambda: 1)
    alone = FeatureStore(tmp_path / "two").extract(media, LogMel())
    assert taken == [7]
    assert np.array_equal(chosen.values, alone.values)


def test_a_dying_worker_stops_the_run(tmp_path, media, monkeypatch):
    (tmp_path / "dying.py").write_text(
        "import os\nclass Dying:\n    fingerprint, dimensions = 'dying', 2\n    def read(self, *source): os._exit(1)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import dying  # pyright: ignore[reportMissingImports]

    with pytest.raises(
        Exception, match=r"a worker process died .* needs: if __name__ == .__main__.:, or use workers=1"
    ):
        FeatureStore(tmp_path / "store").extract(media, dying.Dying(), workers=2)
    assert not [each for each in (tmp_path / "store").iterdir() if not each.name.startswith(".")]


def test_workers_are_at_least_one(tmp_path, media):
    with pytest.raises(InputError, match="workers is 0; give at least 1"):
        FeatureStore(tmp_path / "store").extract(media, LogMel(), workers=0)


def test_a_front_end_that_breaks_its_promise(tmp_path, media):
    class Liar(Halves):
        dimensions = 3

    with pytest.raises(ValueError, match=r"gave shape \(500, 2\); it promised \(frames, 3\)"):
        FeatureStore(tmp_path / "store").extract(media, Liar())
    assert not list((tmp_path / "store").iterdir())


@pytest.mark.real
def test_a_real_corpus(tmp_path, real_data):
    paths = sorted((real_data / "speech" / "ravdess" / "audio").glob("03-01-03-01-02-0*-07.flac"))
    media = pd.DataFrame({"id": [path.stem for path in paths], "path": paths})
    features = FeatureStore(tmp_path).extract(media, LogMel(level=-20))
    assert len(features) == 2
    assert len(set(features.audio_sha)) == 1  # the identical pair of the original
    with pytest.raises(MediaError):
        LogMel()(paths[0], 0, 99)
