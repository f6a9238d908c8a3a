"""Pictures through the front end and the store: kept to the bit, eight bits each, and set aside with a reason."""

import io
import os
import pickle

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from affectspace.errors import InputError, MediaError
from affectspace.features import FeatureStore
from affectspace.features.crops import crop_face, fit_square
from affectspace.features.face import Face
from affectspace.features.face_finder import CascadeFinder
from affectspace.features.faces import Faces
from affectspace.media import pixels_sha256, read_image

random = np.random.default_rng(0)
PICTURES = random.integers(0, 256, (5, 48, 48), dtype=np.uint8)


def encoded(pixels, kind="PNG"):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


@pytest.fixture
def media(tmp_path) -> pd.DataFrame:
    """Five pictures in the rows of a table."""
    pd.DataFrame({"image": [encoded(pixels) for pixels in PICTURES]}).to_parquet(tmp_path / "faces.parquet")
    return pd.DataFrame({"id": list("abcde"), "path": [f"{tmp_path}/faces.parquet#{row}" for row in range(5)]})


@pytest.mark.parametrize("colour", ["grey", "rgb"])
def test_crops_are_kept_to_the_bit_in_a_byte_each(tmp_path, media, colour):
    frontend = Faces(side=48, colour=colour)
    kept = FeatureStore(tmp_path / "store").extract(media, frontend)
    assert kept.values.dtype == np.uint8
    assert kept.values.shape == (5 * 48 * 48, frontend.dimensions)
    assert kept.lengths.tolist() == [48 * 48] * 5
    for pixels, rows in zip(PICTURES, kept):
        assert np.array_equal(frontend.restore(rows), np.repeat(pixels[..., None], frontend.dimensions, axis=2))


def test_the_hash_is_that_of_what_is_seen(tmp_path, media):
    """Before anything is resized: two pictures may not become one by being made small."""
    kept = FeatureStore(tmp_path / "store").extract(media, Faces(side=8))
    assert kept.audio_sha.tolist() == [pixels_sha256(pixels[..., None]) for pixels in PICTURES]
    small = [bytes(rows) for rows in kept]
    assert len(set(small)) == 5


def test_a_table_that_changes_is_read_anew(tmp_path, media):
    store = FeatureStore(tmp_path / "store")
    before = store.extract(media, Faces())
    pd.DataFrame({"image": [encoded(255 - pixels) for pixels in PICTURES]}).to_parquet(tmp_path / "faces.parquet")
    os.utime(tmp_path / "faces.parquet", ns=(1, 1))
    after = store.extract(media, Faces())
    assert np.array_equal(after.values, 255 - before.values)


def test_files_and_rows_give_the_same(tmp_path, media):
    (tmp_path / "c.png").write_bytes(encoded(PICTURES[2]))
    assert np.array_equal(Faces()(tmp_path / "c.png"), Faces()(media["path"][2]))


def test_what_cannot_be_seen_is_set_aside_and_counted(tmp_path, media):
    (tmp_path / "blank.png").write_bytes(encoded(np.full((48, 48, 3), 9, np.uint8)))
    (tmp_path / "words.png").write_text("no picture")
    paths = [*media["path"], tmp_path / "blank.png", tmp_path / "words.png", tmp_path / "none.png"]
    table = pd.DataFrame({"id": [str(k) for k in range(8)], "path": list(map(str, paths))})
    kept = FeatureStore(tmp_path / "store").extract(table, Faces(colour="rgb"), max_bad_share=0.5)
    assert len(kept) == 5
    reasons = dict(zip(kept.quarantine["id"], kept.quarantine["reason"]))
    assert list(reasons) == ["5", "6", "7"]
    assert reasons["5"].endswith("blank.png is blank: all its pixels are [9, 9, 9]; leave it out")
    with pytest.raises(InputError, match=r"3 of 8 items have no features, and a share of 0\.1 is allowed"):
        FeatureStore(tmp_path / "store").extract(table, Faces(colour="rgb"))


def test_pictures_of_any_size_become_one(tmp_path):
    for number, shape in enumerate([(100, 100), (60, 90, 3), (20, 10)]):
        pixels = random.integers(0, 256, shape, dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        rows = Faces(side=32)(tmp_path / f"{number}.png")
        assert np.array_equal(rows, fit_square(read_image(tmp_path / f"{number}.png", "grey"), 32).reshape(-1, 1))


class Corner:
    """A finder that finds a face in the corner of wide pictures."""

    fingerprint = "corner/1"

    def __call__(self, pixels):
        assert pixels.shape[2] == 3  # a finder is given colours
        return [Face(2, 2, 40, 40, 1.0)] if pixels.shape[1] > pixels.shape[0] else []


def test_a_found_face_is_cropped_and_none_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(Faces, "_find", Corner())
    wide, tall = (random.integers(0, 256, shape, dtype=np.uint8) for shape in ((60, 90), (90, 60)))
    Image.fromarray(wide).save(tmp_path / "wide.png")
    Image.fromarray(tall).save(tmp_path / "tall.png")
    wanted = crop_face(np.repeat(wide[..., None], 3, axis=2), Face(2, 2, 40, 40, 1.0), 24)[..., :1]
    assert np.array_equal(Faces(side=24)(tmp_path / "wide.png"), wanted.reshape(-1, 1))
    with pytest.raises(MediaError, match=r"no face found in .*tall\.png; leave it out, or crop its face"):
        Faces(side=24)(tmp_path / "tall.png")
    table = pd.DataFrame({"id": ["w", "t"], "path": [str(tmp_path / "wide.png"), str(tmp_path / "tall.png")]})
    kept = FeatureStore(tmp_path / "store").extract(table, Faces(side=24), workers=1, max_bad_share=0.5)
    assert kept.quarantine["reason"].tolist() == [
        "no face found in a picture of 60 x 90 pixels; leave it out, or crop its face yourself"
    ]


def test_fingerprints_tell_settings_apart():
    prints = {Faces(side, colour).fingerprint for side in (48, 64) for colour in ("grey", "rgb")}
    assert len(prints) == 4
    assert all(each.startswith("faces/1 pillow=") for each in prints)


def test_with_the_cascade_its_fingerprint_is_named_and_it_can_be_sent_to_a_process():
    pytest.importorskip("skimage")
    frontend = Faces(finder="cascade")
    assert CascadeFinder().fingerprint in frontend.fingerprint
    assert pickle.loads(pickle.dumps(frontend)) == frontend


@pytest.mark.parametrize("workers", [1, 2])
def test_the_cascade_from_a_file_to_the_store(tmp_path, workers):
    data = pytest.importorskip("skimage.data")
    Image.fromarray(data.astronaut()).save(tmp_path / "face.png")
    Image.fromarray(data.coffee()).save(tmp_path / "cup.png")
    table = pd.DataFrame({"id": ["face", "cup"], "path": [str(tmp_path / f"{name}.png") for name in ("face", "cup")]})
    frontend = Faces(side=64, colour="rgb", finder="cascade")
    kept = FeatureStore(tmp_path / "store").extract(table, frontend, workers=workers, max_bad_share=0.5)
    (face,) = CascadeFinder()(data.astronaut())
    assert np.array_equal(frontend.restore(kept["face"]), crop_face(data.astronaut(), face, 64))
    assert kept.quarantine["reason"].tolist() == [
        "no face found in a picture of 600 x 400 pixels; leave it out, or crop its face yourself"
    ]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"side": 4}, "side is 4; a crop of a face has at least 8 pixels a side"),
        ({"colour": "bgr"}, "colour is 'bgr'; legal: grey, rgb"),
        ({"finder": "haar"}, r"there is no finder 'haar'; legal: cascade, or the path of a YuNet file \(\.onnx\)"),
        ({"finder": "none.onnx"}, r"there is no file none\.onnx"),
    ],
)
def test_settings_that_mean_nothing(settings, message):
    with pytest.raises(InputError, match=message):
        Faces(**settings)


@pytest.mark.real
def test_real_crops_are_kept_as_they_are(tmp_path, real_data):
    table = next((real_data / "faces/ckplus48").glob("*.parquet"))
    media = pd.DataFrame({"id": [str(row) for row in range(30)], "path": [f"{table}#{row}" for row in range(30)]})
    kept = FeatureStore(tmp_path).extract(media, Faces())
    images = pd.read_parquet(table)["image"]
    for row in range(30):
        assert np.array_equal(Faces().restore(kept[row])[..., 0], Image.open(io.BytesIO(images[row])).convert("L"))


def test_two_boxes_of_one_photo_are_two_pictures(tmp_path):
    photo = random.integers(0, 256, (40, 60), dtype=np.uint8)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    boxes = ["4 6 20 20", "30 8 20 20", "70 0 9 9", None, ""]
    table = pd.DataFrame({"id": list("abcde"), "path": str(tmp_path / "photo.png"), "box": boxes})
    store = FeatureStore(tmp_path / "store")
    kept = store.extract(table, Faces(side=20), max_bad_share=0.5)
    assert np.array_equal(kept["a"].reshape(20, 20), photo[6:26, 4:24])
    assert np.array_equal(kept["b"].reshape(20, 20), photo[8:28, 30:50])
    assert kept.audio_sha[0] == pixels_sha256(photo[6:26, 4:24, None])
    assert len(set(kept.audio_sha[:3])) == 3
    assert kept.audio_sha[2] == kept.audio_sha[3] == pixels_sha256(photo[..., None])
    assert kept.quarantine["reason"].tolist() == [
        "box '70 0 9 9' lies outside a picture of 60 x 40 pixels; correct it or leave it empty"
    ]
    moved = store.extract(table.assign(box=boxes[::-1]), Faces(side=20), max_bad_share=0.5)
    assert np.array_equal(moved["d"], kept["b"])


def test_items_without_a_box_are_found_where_they_were(tmp_path, media):
    store = FeatureStore(tmp_path / "store")
    store.extract(media, Faces())
    store.extract(media.assign(box=None), Faces())
    assert len(list((tmp_path / "store").iterdir())) == 1
