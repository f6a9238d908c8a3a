"""Texts to the vectors of their words, from tables in every format, and texts that look like files."""

import os
import pickle

import numpy as np
import pandas as pd
import pytest

from affectspace.errors import InputError, MediaError
from affectspace.features import FeatureStore, WordVectors, words

WORDS = ["the", "i", "don't", "know", "Mark", "mark", "été"]
VECTORS = np.arange(21, dtype=np.float32).reshape(7, 3) / 8


@pytest.fixture(params=["npz", "parquet", "csv", "tsv", "txt", "vec"])
def table(request, tmp_path):
    """One table of words in every format."""
    path = tmp_path / f"vectors.{request.param}"
    frame = pd.DataFrame(VECTORS, columns=["v_0", "v_1", "v_2"]).assign(word=WORDS)
    match request.param:
        case "npz":
            np.savez(path, words=np.array(WORDS), vectors=VECTORS, count=np.arange(7))
        case "parquet":
            frame.to_parquet(path)
        case "csv" | "tsv":
            frame.to_csv(path, index=False, sep="," if request.param == "csv" else "\t")
        case _:
            lines = [f"{word} {' '.join(map(str, row))}" for word, row in zip(WORDS, VECTORS.tolist())]
            header = ["7 3"] if request.param == "vec" else []
            path.write_text("\n".join([*header, *lines]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def plain(tmp_path):
    path = tmp_path / "plain.txt"
    path.write_text("".join(f"{word} {' '.join(map(str, row))}\n" for word, row in zip(WORDS, VECTORS.tolist())))
    return path


def test_vectors_of_the_words_in_order(table):
    frontend = WordVectors(table)
    made = frontend("Know, unknown: I DON’T know the e\u0301te\u0301!")
    assert made.dtype == np.float32
    assert np.array_equal(made, VECTORS[[3, 1, 2, 3, 0, 6]])
    assert frontend.dimensions == 3


def test_a_word_is_looked_up_as_it_is_written_first(plain):
    assert np.array_equal(WordVectors(plain)("Mark mark MARK"), VECTORS[[4, 5, 5]])


def test_the_first_known_words_are_kept(plain):
    text = "uh " * 30 + "the i " * 20
    assert np.array_equal(WordVectors(plain)(text), VECTORS[[0, 1] * 11])
    assert np.array_equal(WordVectors(plain, words=3)(text), VECTORS[[0, 1, 0]])
    assert len(WordVectors(plain, words=100)(text)) == 40


def test_what_is_made_may_be_changed_and_the_table_stays(plain):
    WordVectors(plain)("the i")[:] = 9
    assert np.array_equal(WordVectors(plain)("the i"), VECTORS[[0, 1]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the text is empty; leave the item out"),
        (" \n", "the text is empty"),
        ("?! ...", r"the text '\?! \.\.\.' has no vector: it holds no word; leave the item out"),
        ("Guten Tag", r"the text 'Guten Tag' has no vector: none of its 2 words is in plain\.txt; leave the item out"),
    ],
)
def test_texts_without_a_vector(plain, text, message):
    with pytest.raises(MediaError, match=message):
        WordVectors(plain)(text)


# the store


TEXTS = {
    "long": "the " * 5000,
    "lines": "the\ni\r\nknow",
    "nul": "the\0i",
    "row of a table": "the.parquet#3",
    "another": "I know.",
    "the same": "I know.",
}


def of(texts):
    return pd.DataFrame({"id": list(texts), "path": list(texts.values())})


def test_texts_are_taken_for_nothing_else(tmp_path, plain, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "i know").mkdir()
    texts = TEXTS | {"file": str(plain), "folder": "i know", "none": None, "blank": " ", "strange": "Guten Tag"}
    looked_at = []
    stat = os.stat
    monkeypatch.setattr(os, "stat", lambda path, **options: looked_at.append(str(path)) or stat(path, **options))
    frontend = WordVectors(plain)
    _ = frontend.fingerprint, frontend.dimensions  # of the table itself
    looked_at.clear()
    features = FeatureStore(tmp_path / "store").extract(of(texts), frontend, max_bad_share=0.5)
    assert not set(looked_at) & (set(texts.values()) - {str(plain)})
    for item, text in TEXTS.items():
        assert np.array_equal(features[item], frontend(text))
    assert np.array_equal(features["folder"], VECTORS[[1, 3]])
    assert dict(zip(features.quarantine["id"], features.quarantine["reason"].str.split(" has no vector").str[0])) == {
        "file": f"the text {str(plain)[:40] + '...'!r}" if len(str(plain)) > 40 else f"the text {str(plain)!r}",
        "none": "the item has no text",
        "blank": "the text is empty; leave the item out",
        "strange": "the text 'Guten Tag'",
    }
    hashes = dict(zip(features.ids, features.audio_sha))
    assert hashes["another"] == hashes["the same"]
    assert len(set(features.audio_sha)) == len(features) - 1


def test_another_text_makes_another_entry_and_a_file_of_its_name_does_not(tmp_path, plain, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root, frontend = tmp_path / "store", WordVectors(plain)
    FeatureStore(root).extract(of({"a": "the"}), frontend)
    (tmp_path / "the").write_text("something")
    FeatureStore(root).extract(of({"a": "the"}), frontend)
    assert len(list(root.iterdir())) == 1
    FeatureStore(root).extract(of({"a": "i"}), frontend)
    assert len(list(root.iterdir())) == 2


def test_a_worker_is_not_sent_the_table(plain):
    frontend = WordVectors(plain)
    made, fingerprint = frontend("the i"), frontend.fingerprint
    sent = pickle.dumps(frontend)
    assert len(sent) < 1000
    assert np.array_equal(pickle.loads(sent)("the i"), made)
    assert pickle.loads(sent).fingerprint == fingerprint


# the table


def test_columns_and_arrays_by_name(tmp_path):
    frame = pd.DataFrame({"token": ["a", "b"], "count": [5, 6], "v_1": [1.0, 2.0], "v_0": [3.0, 4.0]})
    frame.to_csv(tmp_path / "v.csv", index=False)
    named = WordVectors(tmp_path / "v.csv", word_column="token", columns="v_*")
    assert named("b a").tolist() == [[2, 4], [1, 3]]
    assert WordVectors(tmp_path / "v.csv", word_column="token", columns=["v_0", "count"])("b").tolist() == [[4, 6]]
    np.savez(tmp_path / "v.npz", token=np.array(["a"]), small=np.ones((1, 2)), large=np.ones((1, 5)))
    assert WordVectors(tmp_path / "v.npz", word_column="token", columns="large").dimensions == 5


def test_of_equal_words_the_first_counts(tmp_path):
    (tmp_path / "v.txt").write_text("a 1\nb 2\na 3\n")
    assert WordVectors(tmp_path / "v.txt")("a b").tolist() == [[1], [2]]


def test_the_fingerprint_follows_the_content_and_the_settings_and_not_the_place(tmp_path, plain):
    first = WordVectors(plain).fingerprint
    copy = tmp_path / "copy.txt"
    copy.write_bytes(plain.read_bytes())
    assert WordVectors(copy).fingerprint == first
    assert WordVectors(plain, words=12).fingerprint != first
    copy.write_bytes(plain.read_bytes().replace(b"Mark", b"Dark"))
    assert WordVectors(copy).fingerprint != first
    assert WordVectors(copy)("Dark").tolist() == [VECTORS[4].tolist()]


def test_a_table_that_changes_is_read_anew(plain):
    assert WordVectors(plain)("the").tolist() == [VECTORS[0].tolist()]
    plain.write_text("the 7 8\n")
    assert WordVectors(plain)("the").tolist() == [[7, 8]]


@pytest.mark.parametrize(
    ("name", "content", "settings", "message"),
    [
        ("none.txt", None, {}, r"there is no file of word vectors .*none\.txt; give an npz file, a table or plain"),
        ("v.txt", "", {}, r"v\.txt holds no word vector; give a file with one for each word"),
        ("v.txt", "a 1 2\nb 1\n", {}, r"line 2 of .*v\.txt is no word and 2 numbers; plain text has a word and its"),
        ("v.txt", "a 1 2\nb 1 two\n", {}, r"line 2 of .* is no word and 2 numbers"),
        ("v.txt", "alone\n", {}, r"line 1 of .* is no word and 1 numbers"),
        ("v.txt", "2 3\na 1 2 3\nb 1 2\n", {}, r"line 3 of .* is no word and 3 numbers"),
        ("v.vec", "3 1\na 1\nb 2\n", {}, r"v\.vec promises 3 words in its first line and holds 2; copy it anew"),
        ("v.vec", "0 0\n", {}, "holds no word vector"),
        ("v.txt", "a 1\nb nan\n", {}, r"the vector of 'b' in .*v\.txt is not finite; leave that word out"),
        ("v.txt", "a 1e39\n", {}, r"the vector of 'a' in .*v\.txt is not finite"),
        ("v.bin", b"2 3\na \x80\x01\xff\x00", {}, r"line 2 of .*v\.bin is no word and 3 numbers"),
        ("v.csv", "token,x\na,1\n", {}, r"v\.csv has no column 'word' or 'words'; name the one with the ids: token, x"),
        ("v.csv", "word,x\na,1\n", {"word_column": "token"}, "has no column 'token'"),
        ("v.csv", "word,x\n", {}, "holds no word vector"),
        ("v.npz", b"PK\x03\x04", {}, "cannot be read as an npz file of plain arrays"),
        ("v.txt", "a 1\n", {"words": 0}, "words is 0; give how many words of a text are kept, at least 1"),
    ],
)
def test_errors_say_value_and_remedy(tmp_path, name, content, settings, message):
    if content is not None:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message):
        _ = WordVectors(tmp_path / name, **settings).dimensions


def test_an_npz_file_of_objects_is_refused(tmp_path):
    np.savez(tmp_path / "v.npz", words=np.array(["a"], dtype=object), vectors=np.zeros((1, 2)))
    with pytest.raises(InputError, match="cannot be read as an npz file of plain arrays"):
        WordVectors(tmp_path / "v.npz")("a")


def test_a_table_is_read_once_in_a_process(plain, monkeypatch):
    WordVectors(plain)("the")
    monkeypatch.setattr(words, "read_word_lines", None)
    assert WordVectors(plain, words=2)("i").tolist() == [VECTORS[1].tolist()]


@pytest.mark.real
def test_real_sentences(tmp_path, real_data):
    frontend = WordVectors(real_data / "text/word_vectors/ppmi_svd100.npz")
    texts = pd.read_parquet(real_data / "text/meld/meld_train_dev.parquet", columns=["text"])["text"][:500]
    media = pd.DataFrame({"id": texts.index.astype(str), "path": texts})
    features = FeatureStore(tmp_path).extract(media, frontend, max_bad_share=0.05)
    assert features.dimensions == frontend.dimensions == 100
    assert len(features) > 480
    assert 1 <= features.lengths.min() <= features.lengths.max() <= 22
