"""One fault of every kind is planted and found at its row; nothing else is."""

import re

import numpy as np
import pandas as pd
import pytest
import soundfile
from PIL import Image

from affectspace.corpora import PROBLEMS, check, notes, open_corpus
from affectspace.labels.votes import column_numbers

RATE = 16000


def tone(seconds=0.2, rate=RATE, pitch=200.0, peak=0.5):
    return (peak * np.sin(2 * np.pi * pitch * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def corpus_of(root, rows, header="id,audio,label", ratings=None, toml=None):
    (root / "items.csv").write_text("\n".join([header, *rows]) + "\n")
    if ratings:
        (root / "ratings.csv").write_text("\n".join(["item,rater,dimension,value", *ratings]) + "\n")
    if toml:
        (root / "corpus.toml").write_text(toml)
    return open_corpus(root)


def seen(corpus, **options):
    return [(fault.row, fault.column, fault.problem) for fault in check(corpus, **options)]


@pytest.fixture
def recordings(tmp_path):
    """Some sound recordings, and one of every kind that is not."""
    for number in range(4):
        soundfile.write(tmp_path / f"good{number}.wav", tone(pitch=100 + 50 * number), RATE)
    # The integers themselves, since libsndfile rounds a float otherwise for FLAC than for WAV.
    soundfile.write(tmp_path / "twin.flac", soundfile.read(tmp_path / "good0.wav", dtype="int16")[0], RATE)
    soundfile.write(tmp_path / "rate.wav", tone(rate=8000, pitch=300), 8000)
    soundfile.write(tmp_path / "zeros.wav", np.zeros(3200), RATE)
    soundfile.write(tmp_path / "whisper.wav", tone(peak=2e-4), RATE)
    soundfile.write(tmp_path / "clipped.wav", np.clip(tone(peak=4.0), -1, 1), RATE)
    broken = tone()
    broken[7] = np.nan
    soundfile.write(tmp_path / "nan.wav", broken, RATE, subtype="FLOAT")
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("not a recording")
    (tmp_path / "cut.flac").write_bytes((tmp_path / "twin.flac").read_bytes()[:200])
    (tmp_path / "lfs.wav").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    return tmp_path


def test_a_good_corpus_has_no_fault(recordings):
    rows = [f"{n},good{n}.wav,sad" for n in range(4)]
    assert check(corpus_of(recordings, rows)) == []


def test_every_fault_of_a_recording_at_its_row(recordings):
    kinds = {
        "twin.flac": "identical-audio",
        "rate.wav": "sample-rate",
        "zeros.wav": "silent",
        "whisper.wav": "silent",
        "clipped.wav": "clipped",
        "nan.wav": "unreadable",
        "empty.wav": "empty-file",
        "text.wav": "unreadable",
        "cut.flac": "unreadable",
        "lfs.wav": "unreadable",
        "absent.wav": "missing-file",
        "../outside.wav": "outside-root",
        "/etc/hostname": "outside-root",
    }
    names = [*(f"good{n}.wav" for n in range(4)), *kinds]
    corpus = corpus_of(recordings, [f"{n},{name},sad" for n, name in enumerate(names)])
    assert seen(corpus) == [(row, "audio", problem) for row, problem in enumerate(kinds.values(), start=5)]
    found = {fault.value: fault for fault in check(corpus)}
    assert found["twin.flac"].message.startswith("twin.flac has the same samples as row 1 (0); keep one")
    assert found["rate.wav"].message.startswith("rate.wav has 8000 samples a second, most have 16000")
    assert "git lfs pull" in found["lfs.wav"].message
    assert found["absent.wav"].item == "14"


def test_without_reading_only_what_the_tables_and_folders_tell(recordings):
    names = ["good0.wav", "twin.flac", "zeros.wav", "text.wav", "empty.wav", "absent.wav"]
    corpus = corpus_of(recordings, [f"{n},{name},sad" for n, name in enumerate(names)])
    assert seen(corpus, read_media=False) == [(5, "audio", "empty-file"), (6, "audio", "missing-file")]


def test_a_link_out_of_the_root(tmp_path):
    soundfile.write(tmp_path / "real.wav", tone(), RATE)
    root = tmp_path / "root"
    root.mkdir()
    (root / "link.wav").symlink_to(tmp_path / "real.wav")
    assert seen(corpus_of(root, ["a,link.wav,sad"])) == [(1, "audio", "outside-root")]


def test_parts_of_one_recording(recordings):
    rows = ["a,good0.wav,sad,0,0.1", "b,good0.wav,sad,0.1,", "c,good0.wav,sad,-1,", "d,good0.wav,sad,0.1,0.1"]
    rows += ["e,good0.wav,sad,0.2,0.3", "f,good0.wav,sad,0,9", "g,good0.wav,sad,,0.1"]
    corpus = corpus_of(recordings, rows, header="id,audio,label,start,end")
    assert seen(corpus) == [
        # 0.1 s are ten periods of this tone, so that its second half sounds as the first
        (2, "audio", "identical-audio"),
        (3, "start", "bad-times"),
        (4, "end", "bad-times"),
        (5, "start", "bad-times"),
        (6, "end", "bad-times"),
        (7, "audio", "identical-audio"),
    ]


def test_ids_and_content(tmp_path):
    rows = ["a,Hello,sad", ",Hello,sad", "a,Hello,sad", "b,,sad", "c,Hello,"]
    corpus = corpus_of(tmp_path, rows, header="id,text,label")
    assert seen(corpus) == [
        (2, "id", "missing-id"),
        (3, "id", "duplicate-id"),
        (4, "audio", "no-media"),
    ]


def test_a_corpus_without_any_label_has_one_note_and_no_fault(tmp_path):
    corpus = corpus_of(tmp_path, ["a,Hello,x", "b,Hello,y"], header="id,text,speaker")
    assert check(corpus) == []
    (note,) = notes(corpus)
    assert note.startswith(
        "no item (of 2) has a label or a rating: alone they are nothing to train on, but beside a labelled corpus a "
        "recipe with [unlabelled] trains on them (docs/multimodal.md), and all can be embedded; if a column"
    )


def test_items_without_a_label_are_counted_and_no_fault(tmp_path):
    rows = ["a,Hello,sad,x", "b,Hello,,y", "c,Hello,sad,x", "d,Hello,,y"]
    corpus = corpus_of(tmp_path, rows, header="id,text,label,speaker")
    assert check(corpus) == []
    assert notes(corpus) == [
        "2 of 4 items have neither a label nor a rating, such as b in row 2; fill the column label if that is an "
        "oversight, else train on them with [unlabelled] (docs/multimodal.md) or embed them: other training leaves "
        "them out"
    ]
    corpus = corpus_of(tmp_path, ["a,Hello,sad,x", ",Hello,,y", "c,Hello,sad,x"], header="id,text,label,speaker")
    assert notes(corpus)[0].startswith("1 of 3 items has neither a label nor a rating, such as row 2; ")


def test_a_rating_stands_in_for_a_label(tmp_path):
    corpus = corpus_of(tmp_path, ["a,Hello", "b,Hello"], header="id,text", ratings=["a,r,emotion,sad"])
    assert notes(corpus)[0].startswith("1 of 2 items has neither a label nor a rating, such as b in row 2; ")


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        ("x" * 5000 + ".wav", r"'x{57}\.\.\.' is no path; the column may hold something else than files"),
        ("a\0.wav", "is no path"),
        ("clips\\a.wav", "below the corpus's folder; write / instead of "),
    ],
)
def test_what_is_no_path_is_told(tmp_path, audio, message):
    (fault,) = check(corpus_of(tmp_path, [f"a,{audio},sad"]))
    assert (fault.row, fault.column, fault.problem) == (1, "audio", "missing-file")
    assert re.search(message, fault.message)


def test_ratings_off_their_scale(tmp_path):
    votes = ["1", "5", "0.9", "5.1", "three", "nan", "inf", ""]
    corpus = corpus_of(
        tmp_path,
        ["a,Hello,sad"],
        header="id,text,label",
        ratings=[
            *(f"a,r{n},valence,{vote}" for n, vote in enumerate(votes)),
            "a,r,recognised_pct,90.0",
            "z,r,valence,3",
        ],
        toml="scales.valence = {low = 1, high = 5}",
    )
    faults = check(corpus)
    assert [(fault.row, fault.column, fault.problem) for fault in faults] == [
        (3, "ratings.value", "off-scale"),
        (4, "ratings.value", "off-scale"),
        (5, "ratings.value", "not-a-number"),
        (6, "ratings.value", "not-a-number"),
        (7, "ratings.value", "off-scale"),
        (8, "ratings.value", "missing-value"),
        (10, "ratings.item", "unknown-item"),
    ]
    assert faults[0].message == "rater r2 gave '0.9'; valence runs from 1 to 5"
    assert (faults[0].item, faults[0].value) == ("a", "0.9")


def test_faults_of_items_come_by_row_and_before_those_of_ratings(tmp_path):
    corpus = corpus_of(tmp_path, ["a,x.wav,", "a,,sad"], ratings=["q,r,emotion,sad"])
    rows = seen(corpus)
    assert [row for row, _, _ in rows] == [1, 2, 2, 1]
    assert rows[-1] == (1, "ratings.item", "unknown-item")


def test_every_problem_is_documented(recordings):
    rows = ["a,nan.wav,sad", "a,,", ",zeros.wav,sad"]
    assert {problem for _, _, problem in seen(corpus_of(recordings, rows))} <= PROBLEMS.keys()


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "items", "pairs"),
    [
        ("emodb", 535, []),
        ("urdu", 400, []),
        ("ravdess", 1440, [("03-01-03-01-02-02-07", "03-01-03-01-02-01-07")]),
    ],
)
def test_real_corpora(real_data, name, items, pairs):
    corpus = open_corpus(real_data / "speech" / name)
    assert len(corpus) == items
    faults = check(corpus)
    assert [fault.problem for fault in faults] == ["identical-audio"] * len(pairs)
    for fault, (item, twin) in zip(faults, pairs, strict=True):
        assert fault.item == item
        assert twin in fault.message


@pytest.fixture
def pictures(tmp_path, picture):
    """Some images, one of every kind that is none, and a table of them."""
    for seed in range(3):
        (tmp_path / f"good{seed}.png").write_bytes(picture(seed))
    (tmp_path / "twin.bmp").write_bytes(picture(0, "bmp"))
    Image.new("RGB", (4, 4), "red").save(tmp_path / "blank.png")
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("not an image")
    (tmp_path / "cut.png").write_bytes(picture(7, side=64)[:300])
    (tmp_path / "lfs.png").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    pd.DataFrame({"image": [picture(5), picture(2), None, b"text"]}).to_parquet(tmp_path / "faces.parquet")
    pd.DataFrame({"n": [1]}).to_parquet(tmp_path / "numbers.parquet")
    return tmp_path


def test_every_fault_of_an_image_at_its_row(pictures):
    kinds = {
        "twin.bmp": "identical-image",
        "blank.png": "blank-image",
        "empty.png": "empty-file",
        "text.png": "unreadable",
        "cut.png": "unreadable",
        "lfs.png": "unreadable",
        "absent.png": "missing-file",
        "../outside.png": "outside-root",
        "faces.parquet#0": None,
        "faces.parquet#1": "identical-image",
        "faces.parquet#2": "unreadable",
        "faces.parquet#3": "unreadable",
        "faces.parquet#4": "missing-file",
        "numbers.parquet#0": "unreadable",
        "absent.parquet#0": "missing-file",
        "../faces.parquet#0": "outside-root",
    }
    names = [*(f"good{n}.png" for n in range(3)), *kinds]
    corpus = corpus_of(pictures, [f"{n},{name},sad" for n, name in enumerate(names)], header="id,image,label")
    expected = [(row, "image", problem) for row, problem in enumerate(kinds.values(), start=4) if problem]
    assert seen(corpus) == expected
    assert {problem for _, _, problem in expected} <= PROBLEMS.keys()
    found = {fault.value: fault.message for fault in check(corpus)}
    assert found["twin.bmp"].startswith("twin.bmp has the same pixels as row 1 (0); keep one")
    assert found["faces.parquet#1"].startswith("faces.parquet#1 has the same pixels as row 3 (2); keep one")
    assert found["faces.parquet#4"] == "there is no row 4 in faces.parquet, whose rows run from 0 to 3"
    assert "git lfs pull" in found["lfs.png"]
    looked_at = {"identical-image", "blank-image"}
    content = {"text.png", "cut.png", "lfs.png", "faces.parquet#2", "faces.parquet#3"}
    shallow = [(row, column, problem) for row, column, problem in expected if problem not in looked_at]
    assert seen(corpus, read_media=False) == [found for found in shallow if names[found[0] - 1] not in content]


def test_every_fault_of_a_box_at_its_row(tmp_path, picture):
    (tmp_path / "a.png").write_bytes(picture(0, side=40))
    half = np.zeros((40, 80), np.uint8)
    half[:, :40] = np.random.default_rng(1).integers(0, 256, (40, 40))
    Image.fromarray(half).save(tmp_path / "b.png")
    boxes = {
        "a.png;0 0 20 20": None,
        "a.png;20 0 20 20": None,  # another part of one image
        "b.png;-3 -3.4 9 9": None,  # beyond the edge, which is repeated
        "a.png;": None,
        "a.png;40 0 5 5": ("bad-box", "box '40 0 5 5' lies outside a picture of 40 x 40 pixels; correct it or leave"),
        "a.png;0 0 0 5": ("bad-box", "box '0 0 0 5' is 0 x 5 pixels; legal: 1 x 1 to 50,000,000 pixels in all"),
        "a.png;1 2 3": ("bad-box", "box is '1 2 3'; give left, top, width and height in pixels with blanks between"),
        "a.png;0 0 20.2 20": ("identical-image", "box '0 0 20.2 20' of a.png has the same pixels as row 1 (0); keep"),
        "b.png;50 0 9 9": ("blank-image", "all 9 x 9 pixels of box '50 0 9 9' of b.png have one value"),
        "c.png;0 0 20": ("bad-box", "box is '0 0 20'; give left"),
    }
    rows = [f"{n};{cells};sad".split(";") for n, cells in enumerate(boxes)]
    pd.DataFrame(rows, columns=["id", "image", "box", "label"]).to_csv(tmp_path / "items.csv", index=False)
    corpus = open_corpus(tmp_path)
    told = [(row, *what) for row, what in enumerate(boxes.values(), start=1) if what]
    faults = [fault for fault in check(corpus) if fault.problem != "missing-file"]
    assert [(fault.row, fault.problem) for fault in faults] == [(row, problem) for row, problem, _ in told]
    assert all(fault.message.startswith(words) for fault, (_, _, words) in zip(faults, told))
    assert [fault.column for fault in faults] == ["box"] * 3 + ["image"] * 2 + ["box"]
    assert faults[0].value == "40 0 5 5"
    shallow = [(7, "box"), (10, "box"), (10, "image")]
    assert [found[:2] for found in seen(corpus, read_media=False)] == [(6, "box"), *shallow]


def test_frames_of_a_session_may_share_a_picture_but_not_have_copies_of_it(tmp_path, picture):
    for name in "abc":
        (tmp_path / f"{name}.png").write_bytes(picture(0 if name < "c" else 1))
    rows = ["1,a.png,s", "2,a.png,s", "3,a.png,t", "4,b.png,s", "5,c.png,", "6,c.png,"]
    corpus = corpus_of(tmp_path, [f"{row},sad" for row in rows], header="id,image,session,label")
    assert seen(corpus) == [(row, "image", "identical-image") for row in (3, 4, 6)]


def test_copies_with_different_labels_contradict(tmp_path, picture):
    for number in range(5):
        (tmp_path / f"{number}.png").write_bytes(picture(0))
        soundfile.write(tmp_path / f"{number}.wav", tone(), RATE)
    labels = ["sad", "sad", "happy", "", "sad "]
    told = "has the same {} as row 1 (0), which is labelled 'sad' and this 'happy'; one must be wrong: correct it, or "
    for column, ending, shared in (("image", "png", "pixels"), ("audio", "wav", "samples")):
        rows = [f"{number},{number}.{ending},{label}" for number, label in enumerate(labels)]
        faults = [fault for fault in check(corpus_of(tmp_path, rows, f"id,{column},label")) if fault.column == column]
        copy = f"identical-{column}"
        assert [fault.problem for fault in faults] == [copy, "contradicting-copy", copy, copy]
        assert faults[1].message.startswith(f"2.{ending} {told.format(shared)}")
        assert "contradicting-copy" in PROBLEMS
        votes = [f"{number},r,emotion,sad" for number in range(5)]  # raters may disagree about one picture
        rated = corpus_of(tmp_path, rows, f"id,{column},label", ratings=votes)
        assert {fault.problem for fault in check(rated)} == {copy}
        (tmp_path / "ratings.csv").unlink()


def test_copies_whose_labels_are_one_by_the_map_or_in_another_spelling_do_not_contradict(tmp_path, picture):
    labels = ["happiness", "Freude", "joy", "Happy", "Wut", ""]
    for number in range(len(labels)):
        (tmp_path / f"{number}.png").write_bytes(picture(0))
        soundfile.write(tmp_path / f"{number}.wav", tone(), RATE)
    (tmp_path / "corpus.toml").write_text('[label_map]\nFreude = "happy"\nWut = "angry"\n')
    for column, ending in (("image", "png"), ("audio", "wav")):
        rows = [f"{number},{number}.{ending},{label}" for number, label in enumerate(labels)]
        faults = [fault for fault in check(corpus_of(tmp_path, rows, f"id,{column},label")) if fault.column == column]
        copy = f"identical-{column}"
        assert [fault.problem for fault in faults] == [copy, copy, copy, "contradicting-copy", copy]
        assert "which is labelled 'happiness' and this 'Wut'; one must be wrong" in faults[3].message


def test_a_box_says_nothing_of_an_item_without_an_image(tmp_path):
    assert seen(corpus_of(tmp_path, ["a,Hello,sad,1 2"], header="id,text,label,box")) == []


def test_ages_off_their_scale(tmp_path):
    rows = [f"{row},some words,{age}" for row, age in enumerate([0, -3, 412, "about 40", 120])]
    (tmp_path / "items.csv").write_text("id,text,age\n" + "\n".join(rows) + "\n")
    (tmp_path / "corpus.toml").write_text('[columns]\nlabel = "age"\n[scales.label]\nlow = 0\nhigh = 120\n')
    assert [(fault.row, fault.problem, fault.message) for fault in check(open_corpus(tmp_path))] == [
        (2, "off-scale", "the label is '-3'; labels run from 0 to 120"),
        (3, "off-scale", "the label is '412'; labels run from 0 to 120"),
        (4, "not-a-number", "the label is 'about 40'; labels run from 0 to 120"),
    ]


@pytest.mark.parametrize("cell", ["NaN", "nan", " nan ", '" "', ""])
def test_an_age_that_is_not_known_is_no_wrong_age(tmp_path, cell):
    (tmp_path / "items.csv").write_text(f"id,text,age\na,some words,30\nb,some words,{cell}\n")
    (tmp_path / "corpus.toml").write_text("[scales.age]\nlow = 0\nhigh = 120\n")
    corpus = open_corpus(tmp_path)
    assert not {fault.problem for fault in check(corpus)} & {"not-a-number", "off-scale"}
    assert np.isnan(column_numbers(corpus.items, "age")).tolist() == [False, True]
    card = '[columns]\nlabel = "age"\n[scales.label]\nlow = 0\nhigh = 120\n'
    (tmp_path / "corpus.toml").write_text(card)
    corpus = open_corpus(tmp_path)
    assert seen(corpus) == []
    assert notes(corpus)[0].startswith("1 of 2 items has neither a label nor a rating, such as b in row 2; ")


def test_infinite_ages_are_named_where_no_scale_is_declared(tmp_path):
    ages = [31, "inf", 40, "-Infinity", "", "about 40"]
    rows = [f"{row},some words,{age}" for row, age in enumerate(ages)]
    (tmp_path / "items.csv").write_text("id,text,label\n" + "\n".join(rows) + "\n")
    faults = check(open_corpus(tmp_path))
    assert [(fault.row, fault.item, fault.column, fault.problem) for fault in faults] == [
        (2, "1", "label", "infinite"),
        (4, "3", "label", "infinite"),
    ]
    assert faults[0].message == "the label is 'inf', and levels are cut of finite numbers; correct it or leave it empty"
    (tmp_path / "corpus.toml").write_text("[scales.label]\nlow = 0\nhigh = 120\n")
    faults = check(open_corpus(tmp_path))
    assert [fault.problem for fault in faults] == ["off-scale", "off-scale", "not-a-number"]
    names = [f"{row},some words,{name}" for row, name in enumerate(["inf", "sup", "inf", "sup"])]
    (tmp_path / "corpus.toml").unlink()
    (tmp_path / "items.csv").write_text("id,text,label\n" + "\n".join(names) + "\n")
    assert check(open_corpus(tmp_path)) == []  # names of classes
