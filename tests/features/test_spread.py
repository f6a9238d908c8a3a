"""A store on several disks holds what one on a single disk holds, whichever is full or missing, and whatever dies."""

import errno
import hashlib
import io
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from affectspace.errors import InputError
from affectspace.features import FeatureStore, Normaliser, growing, spread, store, value_files
from affectspace.features.normalise import SCOPES
from affectspace.features.spread_values import SpreadValues

ITEMS = 11


class Numbers:
    """A front end of texts: a number to so many frames of two numbers."""

    fingerprint = "numbers/1"
    dimensions = 2
    medium = "text"

    def __init__(self):
        self.made = 0

    def read(self, text, start=None, end=None):
        return text

    def compute(self, text):
        self.made += 1
        return np.random.default_rng(int(text)).normal(size=(int(text), 2)).astype(np.float32)

    def sha256(self, text):
        return hashlib.sha256(text.encode()).hexdigest()


class Picky(Numbers):
    """One that some texts are not for."""

    def read(self, text, start=None, end=None):
        if text in ("4", "5"):
            raise InputError(f"{text} is not for us")
        return text


MEDIA = pd.DataFrame({"id": [f"item {n}" for n in range(ITEMS)], "path": [str(3 + n % 4) for n in range(ITEMS)]})
FRAME = 8  # bytes


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Files of one or two items, and every item on the disk as soon as it is made."""
    monkeypatch.setattr(value_files, "FILE_BYTES", 128 + 9 * FRAME)
    monkeypatch.setattr(growing, "SETTLED_SECONDS", 0.0)


@pytest.fixture
def turns(monkeypatch):
    """Disks that take turns: that with the fewest files has the most space."""
    monkeypatch.setattr(spread, "free_bytes", lambda folder: 10**9 - len([*folder.rglob("values*.npy")]))


def folders(root, count=3):
    return [root / name for name in "abc"[:count]]


def whole(root, frontend=None, bad=0.0, media=MEDIA):
    """What a store of one folder and one file has."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(value_files, "FILE_BYTES", 1 << 30)
        return FeatureStore(root / "whole").extract(media, frontend or Numbers(), 1, bad)


def same(ours, theirs):
    assert ours.ids.tolist() == theirs.ids.tolist()
    assert ours.lengths.tolist() == theirs.lengths.tolist()
    assert ours.offsets.tolist() == theirs.offsets.tolist()
    assert ours.audio_sha.tolist() == theirs.audio_sha.tolist()
    assert ours.quarantine.equals(theirs.quarantine)
    assert ours.values.shape == theirs.values.shape
    assert ours.values.dtype == theirs.values.dtype
    assert all(one.tobytes() == other.tobytes() for one, other in zip(ours, theirs, strict=True))


def files(roots):
    """Every file of values, by its name."""
    found = [path for root in roots if root.is_dir() for path in root.rglob("values*.npy")]
    return {path.name: path for path in found}


def partial(roots):
    return [path for root in roots if root.is_dir() for path in root.rglob("*.partial")]


def about(roots):
    (path,) = [path for root in roots if root.is_dir() for path in root.glob("[!.]*/about.json")]
    return json.loads(path.read_text())


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("frontend", [Numbers, Picky])
def test_it_holds_what_one_file_holds(tmp_path, turns, count, frontend):
    bad = 0.0 if frontend is Numbers else 0.6
    expected = whole(tmp_path, frontend(), bad)
    places = folders(tmp_path, count)
    features = FeatureStore(places).extract(MEDIA, frontend(), 1, bad)
    same(features, expected)
    assert isinstance(features.values, SpreadValues)
    assert all(clip.base is not None for clip in features)  # views, each within its file
    found = files(places)
    assert sorted(found) == ["values-00001.npy", *sorted(found)[1:-1], "values.npy"]
    assert len({path.parent.parent for path in found.values()}) == min(count, len(found))
    assert all(path.stat().st_size <= value_files.FILE_BYTES for path in found.values())
    ordered = [np.load(found[name]) for name in ["values.npy", *sorted(found)[:-1]]]
    assert np.array_equal(np.concatenate(ordered), expected.values)
    same(FeatureStore(places).extract(MEDIA, Numbers() if frontend is Numbers else Picky(), 1, bad), expected)
    assert not partial(places)


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("transductive", [False, True])
def test_statistics_are_the_same_to_the_bit(tmp_path, turns, scope, transductive):
    groups = [f"group {n % 3}" for n in range(ITEMS)]
    one, other = (
        Normaliser.fit(features, scope, train=[0, 1, 3, 4, 7, 9, 10], groups=groups, transductive=transductive)
        for features in (whole(tmp_path), FeatureStore(folders(tmp_path)).extract(MEDIA, Numbers(), 1))
    )
    assert one.to_dict() == other.to_dict()
    for row in range(ITEMS):
        for mine, theirs in zip(one(row), other(row)):
            assert np.asarray(mine).tobytes() == np.asarray(theirs).tobytes()


def test_what_fits_one_file_is_in_one_folder_as_ever(tmp_path, turns, monkeypatch):
    monkeypatch.setattr(value_files, "FILE_BYTES", 1 << 20)
    places = folders(tmp_path)
    features = FeatureStore(places).extract(MEDIA, Numbers(), 1)
    assert isinstance(features.values, np.memmap)
    same(features, whole(tmp_path))
    (entry,) = places[0].iterdir()
    (other,) = (tmp_path / "whole").iterdir()
    assert {path.name: path.read_bytes() for path in entry.iterdir()} == {
        path.name: path.read_bytes() for path in other.iterdir()
    }
    assert not any(place.exists() for place in places[1:])


def test_an_item_larger_than_a_file_has_one_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(value_files, "FILE_BYTES", 1)
    places = folders(tmp_path)
    same(FeatureStore(places).extract(MEDIA, Numbers(), 1), whole(tmp_path))
    assert len(files(places)) == ITEMS


def test_a_new_file_is_where_most_is_free(tmp_path, monkeypatch):
    free = {"a": 1000.0, "b": 500.0, "c": 700.0}

    def of(folder):
        held = sum(path.stat().st_size for path in folder.rglob("values*.npy")) if folder.is_dir() else 0
        return free[folder.name] - held

    monkeypatch.setattr(spread, "free_bytes", of)
    places = folders(tmp_path)
    FeatureStore(places).extract(MEDIA, Numbers(), 1)
    order = [path.relative_to(tmp_path).parts[0] for _, path in sorted(files(places).items(), key=lambda pair: pair[0])]
    assert order == ["a", "c", "a", "b", "c", "a"]  # the last is values.npy


def test_a_store_needs_a_folder():
    with pytest.raises(InputError, match="a store of features is a folder, or several; none was given"):
        FeatureStore([])


# other folders


@pytest.fixture
def made(tmp_path, turns):
    places = folders(tmp_path)
    FeatureStore(places).extract(MEDIA, Numbers(), 1)
    return places


def opened(places):
    """The features, which nobody makes."""
    frontend = Numbers()
    features = FeatureStore(places).extract(MEDIA, frontend, 1)
    assert frontend.made == 0
    return features


@pytest.mark.parametrize("order", [(1, 0, 2), (2, 1, 0), (2, 0, 1)])
def test_in_another_order_it_is_still_found(tmp_path, made, order):
    same(opened([made[place] for place in order]), whole(tmp_path))


def test_with_a_folder_more_or_fewer_it_is_still_found(tmp_path, made):
    same(opened([tmp_path / "new", *made]), whole(tmp_path))
    same(opened([*made, tmp_path / "new"]), whole(tmp_path))
    same(opened(made[:1]), whole(tmp_path))  # what it remembers of the others will do
    assert not (tmp_path / "new").exists()


def test_disks_that_are_mounted_elsewhere_now_are_found(tmp_path, made):
    moved = [place.rename(place.with_name(f"moved {place.name}")) for place in made]
    same(opened(moved), whole(tmp_path))


def test_a_missing_disk_is_told_and_nothing_is_made_anew(tmp_path, made):
    gone = files(made[1:])
    name, path = min(gone.items())
    aside = path.parent.parent.rename(tmp_path / "unmounted")
    entry = next(made[0].glob("*/about.json")).parent
    with pytest.raises(InputError) as error:
        opened(made)
    assert str(error.value) == (
        f"the stored features in {entry} lack a file: there is no {path}; mount that disk, name the folder where "
        f"{path.parent.name} lies now, or delete {entry}, and the features are made anew"
    )
    aside.rename(path.parent.parent)
    same(opened(made), whole(tmp_path))
    assert name in files(made)


def test_a_file_that_is_gone_from_the_entry_itself_is_told(made):
    entry = next(made[0].glob("*/about.json")).parent
    (entry / "values.npy").unlink()
    with pytest.raises(InputError) as error:
        opened(made)
    assert str(error.value) == (
        f"the stored features in {entry} lack a file: there is no {entry / 'values.npy'}; "
        f"delete {entry}, and the features are made anew"
    )


@pytest.mark.parametrize("change", [-3, 5])
def test_a_file_of_another_size_is_told(tmp_path, made, change):
    path = files(made[1:])[min(files(made[1:]))]
    size = path.stat().st_size
    os.truncate(path, size + change)
    entry = next(made[0].glob("*/about.json")).parent
    with pytest.raises(InputError) as error:
        opened(made)
    assert str(error.value) == (
        f"the stored features in {entry} are damaged: {path} has {size + change:,} bytes, and was made with {size:,}; "
        f"copy it anew, or delete {entry}, and the features are made anew"
    )
    shutil.rmtree(entry)  # the remedy
    same(FeatureStore(made).extract(MEDIA, Numbers(), 1), whole(tmp_path))


def test_a_file_that_cannot_be_opened_is_not_to_be_deleted(made, monkeypatch):
    def fail(path, **options):
        raise OSError(errno.EMFILE, "Too many open files", str(path))

    monkeypatch.setattr(store.np, "load", fail)
    with pytest.raises(InputError, match=r"cannot be opened: .*Too many open files.*; see to that"):
        opened(made)


# full disks


@pytest.fixture
def disks(monkeypatch):
    """``disks({folder: 300})``: room for so many bytes of values on the disk of that folder; any on others."""

    def make(room):
        def left(folder):
            return room.get(folder, 10**9) - sum(path.stat().st_size for path in folder.rglob("values*.npy"))

        class Disk(io.FileIO):
            def write(self, given):
                path = Path(str(self.name))
                grows = max(0, self.tell() + len(given) - path.stat().st_size)
                fits = min(grows, max(0, left(path.parent.parent)))
                if grows and not fits:
                    raise OSError(errno.ENOSPC, "No space left on device")
                return super().write(given[: len(given) - grows + fits])  # as much as there is room for

        monkeypatch.setattr(value_files, "FileIO", Disk)
        monkeypatch.setattr(spread, "free_bytes", lambda folder: max(0, left(folder)))

    return make


@pytest.mark.filterwarnings("ignore:the disk of")
@pytest.mark.parametrize("room", [0, 100, 128, 140, 190, 250, 300, 330])
def test_a_full_disk_is_passed_over(tmp_path, disks, monkeypatch, room):
    monkeypatch.setattr(value_files, "FILE_BYTES", 150)  # which there seems to be room for, of one item less
    places = folders(tmp_path)
    disks({places[0]: room, places[1]: 290})
    same(FeatureStore(places).extract(MEDIA, Numbers(), 1), whole(tmp_path))
    assert not partial(places)
    assert sum(path.stat().st_size for path in files(places[:1]).values()) <= room
    for path in files(places).values():
        assert len(np.load(path))  # none was begun in vain


def test_a_disk_that_becomes_full_is_named(tmp_path, disks, monkeypatch):
    monkeypatch.setattr(value_files, "FILE_BYTES", 250)
    a, b, _ = folders(tmp_path)
    disks({a: 300})
    monkeypatch.setattr(spread, "free_bytes", lambda folder: 400 - (folder == b))  # as if nobody wrote to them
    with pytest.warns(UserWarning, match=rf"the disk of {a} is full; features go on in another folder"):
        same(FeatureStore([a, b]).extract(MEDIA, Numbers(), 1), whole(tmp_path))


@pytest.mark.filterwarnings("ignore:the disk of")
def test_when_all_are_full_all_are_named_and_nothing_is_left(tmp_path, disks):
    a, b, _ = folders(tmp_path)
    disks({a: 300, b: 200})
    with pytest.raises(InputError) as error:
        FeatureStore([a, b]).extract(MEDIA, Numbers(), 1)
    assert str(error.value) == (
        f"features cannot be stored in {a} or {b}: their disks are full; free some space, or choose another folder"
    )
    assert not [*a.iterdir(), *b.iterdir()]


def test_real_disks_that_become_full(tmp_path, monkeypatch):
    """Two of a megabyte each, for values of 1.2."""
    monkeypatch.setattr(value_files, "FILE_BYTES", 400_000)
    monkeypatch.setattr(growing, "SETTLED_SECONDS", 5.0)
    media = pd.DataFrame({"id": [str(n) for n in range(40)], "path": [str(3700 + n) for n in range(40)]})
    a, b = tmp_path / "a", tmp_path / "b"
    mounted = []
    try:
        for place in (a, b):
            place.mkdir()
            mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
            if sys.platform != "linux" or subprocess.run(mount, capture_output=True).returncode:
                pytest.skip("only root of Linux can mount a disk of a megabyte")
            mounted.append(place)
        with pytest.raises(InputError, match=rf"cannot be stored in {a}: the disk is full; free some space"):
            FeatureStore(a).extract(media, Numbers(), 1)
        assert not list(a.iterdir())
        features = FeatureStore([a, b]).extract(media, Numbers(), 1)
        assert len(features.values) * FRAME > 2**20
        assert all(np.array_equal(clip, Numbers().compute(text)) for clip, text in zip(features, media["path"]))
        del features
    finally:
        for place in mounted:
            subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_folder_that_cannot_be_made_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(spread, "free_bytes", lambda folder: 10**9 + (folder.name == "b"))
    (tmp_path / "file").write_text("")
    b = tmp_path / "file" / "b"
    with pytest.raises(InputError, match=rf"features cannot be stored in {b}: Not a directory; see to its permissions"):
        FeatureStore([tmp_path / "a", b]).extract(MEDIA, Numbers(), 1)
    assert not list((tmp_path / "a").iterdir())


# deaths


def run_in_child(target, *given):
    child = multiprocessing.get_context("fork").Process(target=target, args=given)
    child.start()
    child.join()
    return child.exitcode


def dying(places, at):
    """Make the entry, and die at the so manieth step that changes anything on a disk; of a write half is done."""
    left = [at]
    top = str(places[0].parent)

    def step():
        left[0] -= 1
        if left[0] < 0:
            os._exit(9)

    class Dying(io.FileIO):
        def write(self, given):
            if left[0] == 0:
                super().write(given[: len(given) // 2])
            step()
            return super().write(given)

        def truncate(self, *size):
            step()
            return super().truncate(*size)

    changes = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate", "os.utime"}

    def heard(event, args):
        changed = event in changes or (event == "open" and args[2] & (os.O_WRONLY | os.O_RDWR))
        if changed and top in str(args[0]):
            step()

    sync = os.fsync

    def synced(number):
        step()
        sync(number)

    value_files.FileIO, os.fsync = Dying, synced
    sys.addaudithook(heard)
    FeatureStore(places).extract(MEDIA[:7], Numbers(), 1)


def test_killed_at_any_step_the_next_goes_on(tmp_path, turns):
    expected = whole(tmp_path, media=MEDIA[:7])
    at, went_on = 0, []
    while True:
        places = folders(tmp_path / str(at))
        code = run_in_child(dying, places, at)
        frontend = Numbers()
        same(FeatureStore(places).extract(MEDIA[:7], frontend, 1), expected)
        went_on.append(frontend.made)
        used = {Path(each["place"]).name for each in about(places)["files"] if each["place"]}
        others = {path for place in places[1:] if place.is_dir() for path in place.iterdir()}
        assert {path.name for path in others if not path.name.startswith(".")} == used, at
        if code == 0:
            break
        assert code == 9
        assert not partial(places), at
        shutil.rmtree(tmp_path / str(at))
        at += 1
    assert at > 70
    assert went_on == sorted(went_on, reverse=True)  # whatever was done is never done again
    assert set(went_on) == set(range(8))


@pytest.fixture
def killed(tmp_path, turns):
    """What a run has left that was killed with nine items on the disks."""
    places = folders(tmp_path)

    class Killed(Numbers):
        def compute(self, text):
            if self.made == 9:
                os._exit(9)
            return super().compute(text)

    assert run_in_child(lambda: FeatureStore(places).extract(MEDIA, Killed(), 1)) == 9
    assert len(partial(places)) == 3
    return places


def test_it_goes_on_in_another_order_and_with_disks_elsewhere(tmp_path, killed):
    moved = [place.rename(place.with_name(f"moved {place.name}")) for place in killed][::-1]
    frontend = Numbers()
    same(FeatureStore(moved).extract(MEDIA, frontend, 1), whole(tmp_path))
    assert frontend.made == 2
    assert not partial(moved)
    opened([moved[2]])  # where the others lie now is what it remembers


@pytest.mark.parametrize("number", range(4))
def test_whatever_file_was_cut_or_lost_the_entry_is_the_same(tmp_path, killed, number):
    names = ["values.npy", *sorted(files(killed))[:-1]]
    assert len(names) == 5
    expected = whole(tmp_path)
    for size in (None, 0, 60, 128, 150, 200):
        places = folders(tmp_path / f"cut {size}")
        for old, new in zip(killed, places):
            shutil.copytree(old, new)
        for old in killed:  # else what is remembered of them would do
            old.rename(old.with_name(f"{old.name} aside"))
        path = files(places)[names[number]]
        path.unlink() if size is None else os.truncate(path, min(size, path.stat().st_size))
        same(FeatureStore(places).extract(MEDIA, Numbers(), 1), expected)
        assert not partial(places)
        assert len(files(places)) == len([path for place in places for path in place.rglob("values*.npy")])
        for old in killed:
            old.with_name(f"{old.name} aside").rename(old)


def test_what_nobody_goes_on_with_is_swept_on_all_disks(killed):
    left = partial(killed)
    FeatureStore(killed).extract(MEDIA[:2], Numbers(), 1)
    assert partial(killed) == left
    then = time.time() - 1.1 * store.ABANDONED_SECONDS
    for folder in left:
        for path in [*folder.iterdir(), folder]:
            os.utime(path, (then, then))
    FeatureStore(killed).extract(MEDIA[:3], Numbers(), 1)
    assert not partial(killed)


def test_an_exception_leaves_nothing_on_any_disk(tmp_path, turns):
    class Failing(Numbers):
        def compute(self, text):
            if self.made == 8:
                raise RuntimeError("by itself")
            return super().compute(text)

    places = folders(tmp_path)
    with pytest.raises(RuntimeError):
        FeatureStore(places).extract(MEDIA, Failing(), 1)
    assert len([place for place in places if place.is_dir()]) == 3
    assert not [path for place in places for path in place.iterdir()]


@pytest.mark.parametrize(
    "line",
    [
        {"file": "values.npy", "place": "{mine}"},
        {"file": "../../mine/values.npy", "place": ""},
        {"file": "values.npy", "place": "{mine}/.."},
        {"file": "values.npy"},
        {"place": 3, "file": None},
    ],
)
def test_a_journal_leads_nobody_to_what_is_not_of_the_store(tmp_path, turns, killed, line):
    """Others may write to a folder that is shared; what they note is neither opened nor removed."""
    mine = tmp_path / "mine"
    for folder in (mine, spread.hidden(mine)):
        folder.mkdir()
        (folder / "values.npy").write_bytes(bytes(1000))
    (journal,) = killed[0].glob(f".*/{growing.JOURNAL}")
    told = json.dumps(line).replace("{mine}", str(mine)).encode() + b"\n"
    journal.write_bytes(told + journal.read_bytes())
    (again,) = [shutil.copytree(journal.parent, killed[0] / f".{'0' * 32}.partial")]
    then = time.time() - 1.1 * store.ABANDONED_SECONDS
    for path in [*again.iterdir(), again]:
        os.utime(path, (then, then))
    same(FeatureStore(killed).extract(MEDIA, Numbers(), 1), whole(tmp_path))
    assert not again.exists()
    for folder in (mine, spread.hidden(mine)):
        assert (folder / "values.npy").read_bytes() == bytes(1000)


@pytest.mark.filterwarnings("ignore:the disk of")
def test_folders_may_be_named_from_where_one_is(tmp_path, disks, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(value_files, "FILE_BYTES", 250)
    disks({tmp_path / "a": 300, tmp_path / "b": 300})
    with pytest.raises(InputError, match="their disks are full"):
        FeatureStore(["a", "b", "a"]).extract(MEDIA, Numbers(), 1)
    same(FeatureStore(["a", "b", "c"]).extract(MEDIA, Numbers(), 1), whole(tmp_path))


# company


def test_two_writers_agree_and_the_slower_one_leaves_nothing(tmp_path, turns):
    places, theirs = folders(tmp_path), []

    class Overtaken(Numbers):
        def compute(self, text):
            if self.made == 7:
                theirs.append(FeatureStore(places).extract(MEDIA, Numbers(), 1))
            return super().compute(text)

    ours = FeatureStore(places).extract(MEDIA, Overtaken(), 1)
    same(ours, theirs[0])
    same(ours, whole(tmp_path))
    names = {path.name for place in places for path in place.iterdir()}
    (entry,) = [path.parent.name for path in places[0].glob("*/about.json")]
    assert names == {entry} | {Path(each["place"]).name for each in about(places)["files"] if each["place"]}


def make_in_step(places, barrier, answers):
    class InStep(Numbers):
        def compute(self, text):
            barrier.wait(60)
            return super().compute(text)

    features = FeatureStore(places).extract(MEDIA, InStep(), 1)
    answers.put([clip.tobytes() for clip in features])


def test_two_processes_that_make_one_entry_at_once(tmp_path):
    """Item by item side by side; each has a folder of its own, and the entry is of one of them."""
    places = folders(tmp_path)
    context = multiprocessing.get_context("fork")
    barrier, answers = context.Barrier(2), context.SimpleQueue()
    both = [context.Process(target=make_in_step, args=(places, barrier, answers)) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert [each.exitcode for each in both] == [0, 0]
    expected = [clip.tobytes() for clip in whole(tmp_path)]
    assert [answers.get(), answers.get()] == [expected, expected]
    assert not partial(places)
    same(opened(places), whole(tmp_path))


def read_there(places):
    return [clip.tobytes() for clip in opened(places)]


def test_workers_that_begin_from_nothing_open_it(tmp_path, made):
    with multiprocessing.get_context("forkserver").Pool(1) as pool:
        assert pool.apply(read_there, (made,)) == [clip.tobytes() for clip in whole(tmp_path)]
