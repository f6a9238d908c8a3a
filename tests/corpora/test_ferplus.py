"""FER+ in every layout: votes, splits, identical images, and what its authors train on."""

import numpy as np
import pandas as pd
import pytest

from affectspace.corpora import check, ferplus_votes, open_corpus
from affectspace.errors import InputError
from affectspace.labels import Classes
from affectspace.media import read_image

VOTES = ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF"]
NAMES = ("neutral", "happy", "surprised", "sad", "angry", "disgusted", "fearful", "contemptuous")
ROWS = [
    ("Training", "fer0000000.png", [6, 3, 1, 0, 0, 0, 0, 0, 0, 0]),
    ("Training", "", [0, 0, 0, 0, 0, 0, 0, 0, 0, 10]),
    ("PublicTest", "fer0000002.png", [0, 0, 0, 5, 5, 0, 0, 0, 0, 0]),
    ("PrivateTest", "fer0000003.png", [2, 0, 0, 0, 0, 0, 0, 0, 8, 0]),
    ("PrivateTest", "fer0000004.png", [0, 9, 0, 0, 0, 0, 0, 0, 1, 0]),
]
PIXELS = ["1 2 3 4", "0 0 0 0", "9 8 7 6", "1 2 3 4", "5 5 5 6"]  # the first face comes back in another split


def release(root, rows=ROWS):
    lines = [",".join(["Usage", "Image name", *VOTES]), *(f"{u},{n},{','.join(map(str, v))}" for u, n, v in rows)]
    (root / "fer2013new.csv").write_text("\n".join(lines) + "\n")
    return root


def with_pixels(root, header="emotion,pixels,Usage", name="fer2013.csv"):
    order = [part.strip() for part in header.split(",")]
    cells = [{"emotion": "0", "pixels": p, "Usage": u} for p, (u, _, _) in zip(PIXELS, ROWS)]
    lines = [header, *(",".join(row[column] for column in order) for row in cells)]
    (root / name).write_text("\n".join(lines) + "\n")
    return root


@pytest.mark.parametrize(
    ("name", "header"), [("fer2013.csv", "emotion,pixels,Usage"), ("icml_face_data.csv", "emotion, Usage, pixels")]
)
def test_votes_beside_the_table_of_pixels(tmp_path, name, header):
    corpus = open_corpus(with_pixels(release(tmp_path), header, name))
    items = corpus.items.set_index("id")
    assert corpus.name == "ferplus"
    assert list(items.index) == ["fer0000000", "fer0000002", "fer0000003", "fer0000004"]
    assert items["image"].tolist() == [f"{name}#{row}" for row in (0, 2, 3, 4)]
    assert items["split"].tolist() == ["train", "validate", "test", "test"]
    assert items["usage"].tolist() == ["Training", "PublicTest", "PrivateTest", "PrivateTest"]
    assert items["label"].tolist() == ["neutral", "sadness", "unknown", "happiness"]
    sessions = items["session"]
    assert sessions["fer0000000"] == sessions["fer0000003"]
    assert sessions.nunique() == 3
    assert read_image(corpus.root / items["image"]["fer0000002"], "grey").ravel().tolist() == [9, 8, 7, 6]
    assert [(fault.row, fault.problem) for fault in check(corpus)] == [(3, "identical-image")]
    counted = corpus.ratings[corpus.ratings["dimension"] == "emotion"].value_counts(["item", "value"])
    assert counted["fer0000000", "happiness"] == 3
    assert counted.sum() == 40
    assert corpus.ratings["rater"].isna().all()


def test_votes_beside_folders_of_images(tmp_path, plant_images, picture):
    root = plant_images("FER2013Train/fer0000000.png", "FER2013Valid/fer0000002.png", "FER2013Test/fer0000004.png")
    (root / "FER2013Test/fer0000003.png").write_bytes(picture(0))
    (root / "data").mkdir()
    release(root / "data")
    items = open_corpus(root).items
    assert items["image"].tolist()[0] == "FER2013Train/fer0000000.png"
    assert items["session"].nunique() == 3
    (root / "FER2013Valid/fer0000002.png").unlink()
    assert open_corpus(root).items["id"].tolist() == ["fer0000000", "fer0000003", "fer0000004"]


def test_without_the_private_test_the_public_one_is_the_test(tmp_path, picture):
    rows = [(u, n, v) for u, n, v in ROWS if n and u != "PrivateTest"]
    table = pd.DataFrame([v for _, _, v in rows], columns=[name.lower() for name in VOTES])
    table = table.assign(image_name=[n for _, n, _ in rows], split=[u for u, _, _ in rows])
    table["image"] = [{"bytes": picture(seed), "path": None} for seed in range(len(rows))]
    table.to_parquet(tmp_path / "joined.parquet")
    for path, adapter in ((tmp_path, None), (tmp_path / "joined.parquet", "ferplus")):
        corpus = open_corpus(path, adapter)
        assert corpus.name == "ferplus"
        assert corpus.items["split"].tolist() == ["train", "test"]
        assert corpus.items["image"].tolist() == ["joined.parquet#0", "joined.parquet#1"]
        assert corpus.items["session"].nunique() == 2
        assert check(corpus) == []


def test_the_label_map_drops_what_shows_no_emotion(tmp_path):
    corpus = open_corpus(with_pixels(release(tmp_path)))
    made = Classes(NAMES).targets(corpus.items, corpus.ratings, "emotion", corpus.card.label_map)
    assert made.values[0].round(1).tolist() == [0.6, 0.3, 0.1, 0, 0, 0, 0, 0]
    assert np.isnan(made.values[2]).all()  # most said unknown
    assert made.values[3].tolist() == [0, 1, 0, 0, 0, 0, 0, 0]  # one of ten said unknown
    made = Classes(NAMES).targets(corpus.items, corpus.ratings, "emotion_kept", corpus.card.label_map)
    assert made.values[0].round(2).tolist() == [0.67, 0.33, 0, 0, 0, 0, 0, 0]
    assert made.usable.tolist() == [True, True, False, True]


@pytest.mark.parametrize(
    ("votes", "probability", "majority", "multi_target"),
    [
        ([10, 0, 0, 0, 0, 0, 0, 0, 0, 0], {0: 10}, {0: 10}, {0: 10}),
        ([7, 1, 1, 1, 0, 0, 0, 0, 0, 0], {0: 7}, {0: 7}, {0: 7}),
        ([5, 5, 0, 0, 0, 0, 0, 0, 0, 0], {0: 5, 1: 5}, {}, {0: 5, 1: 5}),
        ([4, 3, 2, 1, 0, 0, 0, 0, 0, 0], {0: 4, 1: 3}, {}, {0: 4, 1: 3}),
        ([3, 3, 2, 2, 0, 0, 0, 0, 0, 0], {}, {}, {0: 3, 1: 3}),  # the two ties make four classes
        ([2, 2, 2, 2, 2, 0, 0, 0, 0, 0], {}, {}, {}),
        ([1] * 10, {}, {}, {}),
        ([4, 0, 0, 0, 0, 0, 0, 0, 6, 0], {}, {}, {}),
        ([6, 0, 0, 0, 0, 0, 0, 0, 4, 0], {0: 6}, {0: 6}, {0: 6}),
        ([5, 0, 0, 0, 0, 0, 0, 0, 5, 0], {}, {}, {0: 5}),  # half is not more than half
        ([0, 0, 0, 0, 0, 0, 0, 0, 0, 10], {}, {}, {}),
    ],
)
def test_what_the_authors_keep(votes, probability, majority, multi_target):
    for rule, kept in (("probability", probability), ("majority", majority), ("multi_target", multi_target)):
        expected = [kept.get(k, 0) for k in range(8)]
        assert ferplus_votes(np.array([votes]), rule).tolist() == [expected], rule


def test_kept_votes_are_votes_and_never_slips():
    counts = np.random.default_rng(0).multinomial(10, np.full(10, 0.1) ** 0.5 / np.sqrt(10), size=300)
    for rule in ("probability", "majority", "multi_target"):
        kept = ferplus_votes(counts, rule)
        assert ((kept == 0) | (kept == counts[:, :8])).all()
        assert not (kept == 1).any()
    with pytest.raises(ValueError, match="rule is 'mean'; legal: 'probability', 'majority', 'multi_target'"):
        ferplus_votes(counts, "mean")
    with pytest.raises(ValueError, match=r"counts have shape \(300, 8\); expected \(images, 10\)"):
        ferplus_votes(counts[:, :8])


def test_tables_that_do_not_belong_together(tmp_path):
    release(tmp_path)
    with pytest.raises(InputError, match=r"holds the votes of FER\+, but no images; looked for fer2013\.csv and"):
        open_corpus(tmp_path)
    with_pixels(tmp_path)
    release(tmp_path, [ROWS[0], ROWS[2], *ROWS[2:]])
    with pytest.raises(InputError, match=r"row 2 is 'Training' in one and 'PublicTest' in the other; 5 and 5 rows"):
        open_corpus(tmp_path)
    release(tmp_path, ROWS[:4])
    with pytest.raises(InputError, match=r"row 5 is 'PrivateTest' in one and 'missing' in the other; 5 and 4 rows"):
        open_corpus(tmp_path)


@pytest.mark.real
def test_the_real_votes(real_data):
    if not (real_data / "faces/ferplus").is_dir():
        pytest.skip("FER+ is not there")
    corpus = open_corpus(real_data / "faces/ferplus")
    assert (corpus.name, len(corpus)) == ("ferplus", 15580)
    assert corpus.items["split"].value_counts().to_dict() == {"train": 12001, "test": 3579}
    assert corpus.items["session"].nunique() == 15329
    assert {fault.problem for fault in check(corpus, read_media=False)} == set()
    made = Classes(NAMES).targets(corpus.items, corpus.ratings, "emotion", corpus.card.label_map)
    assert 15000 < made.usable.sum() < 15580
