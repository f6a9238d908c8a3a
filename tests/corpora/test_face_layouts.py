"""Small trees in exactly the published layouts of corpora whose images tell everything by their names."""

import pandas as pd
import pytest

from affectspace.corpora import ADAPTERS, check, notes, open_corpus
from affectspace.errors import InputError

TREES = {
    "ckplus": ["CK+48/anger/S010_004_00000017.png", "CK+48/anger/S010_004_00000018.png",
               "CK+48/happy/S011_006_00000011.png"],
    "jaffe": ["jaffeimages/KA.AN1.39.tiff", "jaffeimages/YM.HA2.53.tiff", "jaffeimages/KM.NE1.1.tiff"],
    "bu3dfe": ["F0001/F0001_AN01WH_F2D.bmp", "F0001/F0001_NE00WH_F2D.bmp", "M0044/M0044_SU04AE_F2D.bmp"],
    "utkface": ["26_1_3_20170117183445012.jpg.chip.jpg", "1_0_0_20161219140623097.jpg"],
}  # fmt: skip


@pytest.mark.parametrize("name", TREES)
def test_a_layout_is_read_by_its_own_adapter(plant_images, name):
    root = plant_images(*TREES[name], f"{TREES[name][0].rpartition('/')[0] or 'more'}/unrelated name.png")
    assert next(other for other, module in ADAPTERS.items() if module.matches(root)) == name
    corpus = open_corpus(root)
    assert corpus.name == name
    # UTKFace counts what it cannot read a label of
    items = corpus.items.dropna(subset=["label"]) if name == "utkface" else corpus.items
    assert sorted(items["image"]) == sorted(TREES[name])
    assert check(corpus) == []


@pytest.mark.parametrize("name", TREES)
def test_cards_say_what_people_need_and_map_every_label(plant_images, name):
    corpus = open_corpus(plant_images(*TREES[name]))
    assert all([corpus.card.licence, corpus.card.citation, corpus.card.note])
    if name != "utkface":
        assert set(corpus.items["label"]) <= corpus.card.label_map.keys()
        assert corpus.items["speaker"].notna().all()


def rows(corpus, *columns):
    return corpus.items.set_index("id")[list(columns)].astype(object).T.to_dict("list")


def test_ck48_by_its_folders(plant_images):
    corpus = open_corpus(plant_images(*TREES["ckplus"]))
    assert rows(corpus, "speaker", "session", "frame", "label") == {
        "S010_004_00000017": ["S010", "S010_004", 17, "anger"],
        "S010_004_00000018": ["S010", "S010_004", 18, "anger"],
        "S011_006_00000011": ["S011", "S011_006", 11, "happy"],
    }


def test_ckplus_gives_the_last_three_frames_and_a_neutral_first(plant_images):
    frames = [f"cohn-kanade-images/S005/001/S005_001_{frame:08d}.png" for frame in range(1, 7)]
    short = [f"cohn-kanade-images/S010/002/S010_002_{frame:08d}.png" for frame in (1, 2, 3)]
    unlabelled = ["cohn-kanade-images/S005/002/S005_002_00000001.png"]
    root = plant_images(*frames, *short, *unlabelled)
    for sequence, text in {"S005/001/S005_001_00000006": "   3.0000000e+00", "S010/002/S010_002_00000003": "7"}.items():
        (root / f"Emotion/{sequence}_emotion.txt").parent.mkdir(parents=True)
        (root / f"Emotion/{sequence}_emotion.txt").write_text(f"{text}\n")
    labels = open_corpus(root).items.set_index("id")["label"].to_dict()
    assert labels == {
        "S005_001_00000001": "neutral",
        **{f"S005_001_0000000{frame}": "disgust" for frame in (4, 5, 6)},
        **{f"S010_002_0000000{frame}": "surprise" for frame in (1, 2, 3)},
    }
    for text in ("9", "-1", "2.5", "nan", "sad"):
        (root / "Emotion/S010/002/S010_002_00000003_emotion.txt").write_text(f"{text}\n")
        with pytest.raises(InputError, match=rf"holds '{text}'; an emotion of CK\+ is a whole number from 0 to 7"):
            open_corpus(root)


def test_frames_without_emotions_are_told(plant_images):
    root = plant_images("cohn-kanade-images/S005/001/S005_001_00000001.png")
    with pytest.raises(InputError, match=r"frames of CK\+, but nothing tells their emotions; looked for Emotion"):
        open_corpus(root)


def test_jaffe_with_its_readme(plant_images):
    root = plant_images(*TREES["jaffe"])
    judged = ["39 1.50 1.6 1.7 4.20 3.0 2.1 KA-AN1", "53 4.9 1 1 1 1 1 YM-HA2", "99 1 2 3 4 5 1 XX-AN1"]
    (root / "README_FIRST.txt").write_text("\n".join(["# HAP SAD SUR ANG DIS FEA PIC", *judged]))
    corpus = open_corpus(root)
    assert rows(corpus, "speaker", "label", "sex")["KA.AN1.39"] == ["KA", "anger", "female"]
    ratings = corpus.ratings.set_index(["item", "dimension"])["value"]
    assert len(ratings) == 12
    assert ratings["KA.AN1.39", "anger"] == "4.20"
    assert set(corpus.ratings["rater"]) == {"mean"}
    assert check(corpus) == []


def test_bu3dfe(plant_images):
    root = plant_images(*TREES["bu3dfe"], "F0001/F0001_AN01WH_F3D.bmp")
    corpus = open_corpus(root)
    assert len(corpus) == 3
    assert rows(corpus, "speaker", "sex", "label", "intensity", "ancestry")["M0044_SU04AE_F2D"] == [
        *["M0044", "male", "surprise", "4", "AE"]
    ]


def test_utkface_with_its_short_names_and_an_age_that_nobody_has(plant_images):
    root = plant_images(
        "26_1_3_20170117183445012.jpg.chip.jpg",
        "61_1_20170109142408075.jpg.chip.jpg",
        "39_1_20170116174525125.jpg",
        "140_0_0_20170117183445999.jpg",
    )
    corpus = open_corpus(root)
    items = corpus.items.set_index("id")
    assert items.loc["26_1_3_20170117183445012", ["label", "sex", "ancestry"]].tolist() == ["26", "female", "Indian"]
    assert items.loc["61_1_20170109142408075", ["label", "sex"]].tolist() == ["61", "female"]
    assert pd.isna(items.loc["61_1_20170109142408075", "ancestry"])
    faults = check(corpus)
    assert [(fault.problem, fault.item) for fault in faults] == [("off-scale", "140_0_0_20170117183445999")]
    assert faults[0].message == "an unknown rater gave '140'; age runs from 0 to 116"


def test_utkface_counts_the_pictures_whose_names_tell_no_age(plant_images):
    corpus = open_corpus(plant_images("26_1_3_20170117183445012.jpg", "holiday.at.home.jpg"))
    assert corpus.items["id"].tolist() == ["26_1_3_20170117183445012", "holiday.at.home"]
    assert corpus.items["label"].astype(object).tolist() == ["26", pd.NA]
    assert check(corpus) == []
    assert any(
        note.startswith("1 of 2 items has neither a label nor a rating, such as holiday.") for note in notes(corpus)
    )


def test_tables_that_hold_the_images(tmp_path, picture):
    images = [picture(seed) for seed in range(2)]
    ckplus, utkface = tmp_path / "ck", tmp_path / "utk"
    ckplus.mkdir()
    utkface.mkdir()
    pd.DataFrame(
        {"image_id": ["S010_004_00000017", "S010_004_00000018"], "subject": "S010", "sequence": "S010_004",
         "frame": [17, 18], "label": "anger", "image": images}
    ).to_parquet(ckplus / "part.parquet")  # fmt: skip
    pd.DataFrame(
        {"file_name": ["26_1_3_20170117183445012.jpg.chip.jpg", "5_0_0_20170117183445013.jpg"], "age": [26, 5],
         "age_group": [4, 1], "image": images}
    ).to_parquet(utkface / "part.parquet")  # fmt: skip
    for folder, name in ((ckplus, "ckplus"), (utkface, "utkface")):
        for corpus in (open_corpus(folder), open_corpus(folder / "part.parquet", name)):
            assert corpus.name == name
            assert corpus.items["image"].tolist() == ["part.parquet#0", "part.parquet#1"]
            assert check(corpus) == []
    assert open_corpus(ckplus).items[["speaker", "session"]].values.tolist() == [["S010", "S010_004"]] * 2
    assert open_corpus(utkface).items[["label", "sex", "age_group"]].astype(object).values.tolist() == [
        *[["26", "female", 4], ["5", "male", 1]]
    ]


@pytest.mark.real
def test_the_real_tables(real_data):
    for folder, name, count in (("faces/ckplus48", "ckplus", 390), ("ordinal/utkface_part1", "utkface", 7699)):
        if not (real_data / folder).is_dir():
            pytest.skip(f"{folder} is not there")
        corpus = open_corpus(real_data / folder)
        assert (corpus.name, len(corpus)) == (name, count)
        assert corpus.items["label"].notna().all()
        assert check(corpus, read_media=False) == []
    assert open_corpus(real_data / "faces/ckplus48").items["speaker"].nunique() == 44
