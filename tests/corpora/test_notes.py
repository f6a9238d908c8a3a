"""What limits the use of a corpus is said, and a good corpus gets no note."""

import pytest

from affectspace.corpora import check, make_synthetic, notes, open_corpus
from affectspace.labels import Classes

ITEMS = "id,audio,speaker,label\na,a.wav,x,sad\nb,b.wav,y,sad\n"


@pytest.fixture
def corpus(tmp_path):
    def write(items=ITEMS, ratings=None, card=""):
        (tmp_path / "items.csv").write_text(items)
        (tmp_path / "corpus.toml").write_text(card)
        if ratings:
            (tmp_path / "ratings.csv").write_text(ratings)
        return open_corpus(tmp_path)

    return write


def test_a_good_corpus_gets_none(corpus, tmp_path):
    assert notes(corpus()) == []
    make_synthetic(tmp_path / "alva", speakers=2, items_per_speaker=8)
    alva = open_corpus(tmp_path / "alva")
    assert notes(alva) == [alva.card.note]  # which says that it is no speech of people


@pytest.mark.parametrize(
    ("items", "note"),
    [
        ("id,audio,speaker,label\n", "there are no items"),
        (ITEMS.replace(",y,", ",,"), "1 items name no speaker, such as b"),
        (ITEMS.replace(",y,", ",x,"), "there is one speaker"),
        (ITEMS + "c,c.wav,x,happy\n", "label happy has a single item"),
    ],
)
def test_what_will_be_missed(corpus, items, note):
    assert notes(corpus(items))[0].startswith(note)


def test_numbers_without_a_scale(corpus):
    ratings = "item,rater,dimension,value\na,r,valence,2\nb,r,valence,4\n"
    assert "add [scales.valence]" in notes(corpus(ratings=ratings))[0]
    assert notes(corpus(ratings=ratings, card="[scales.valence]\nlow = 1\nhigh = 5\n")) == []


def test_labels_without_a_rating_beside_rated_items(corpus):
    items = ITEMS + "c,c.wav,x,sad\nd,d.wav,x,\n"
    votes = "item,rater,dimension,value\na,r,emotion,sad\nb,r,emotion,sad\n"
    assert notes(corpus(items, votes))[1:] == [
        "1 items have a label and no rating of 'emotion', such as c: a recipe that reads these ratings leaves them "
        'out, and one with labels.dimension = "label" reads the labels of all'
    ]


def test_a_rating_given_twice_is_a_fault(corpus):
    ratings = "item,rater,dimension,value\na,r,valence,2\na,r,valence,4\na,r,emotion,sad\na,r,emotion,angry\n"
    made = corpus(
        ratings=ratings + "a,r,emotion,sad\na,,emotion,sad\na,,emotion,sad\n",
        card="[scales.valence]\nlow = 1\nhigh = 5\n",
    )
    found = [(fault.row, fault.problem) for fault in check(made) if fault.column.startswith("ratings.")]
    assert found == [(2, "repeated-rating"), (5, "repeated-rating")]


def test_pictures_show_somebody_and_ages_are_no_classes(tmp_path):
    rows = [f"{n}.png,{age}" for n, age in enumerate([-3, 20, 31, "about 40", 57])]
    (tmp_path / "items.csv").write_text("image,label\n" + "\n".join(rows) + "\n")
    assert notes(open_corpus(tmp_path)) == [
        "no item names its speaker, so no split can keep speakers apart; add a column speaker (the person who is "
        'shown), or split by = "item"',
        "most labels are numbers and 'about 40' not, so they cannot be cut into levels; correct them, leave "
        "them empty, or declare [scales.label] with low and high in corpus.toml, which sets them aside",
    ]


def test_a_blank_at_the_end_of_a_label_is_seen(corpus):
    assert notes(corpus(ITEMS + "c,c.wav,x,happy \n"))[0].startswith("label 'happy ' has a single item")


def test_labels_that_differ_in_capitals_alone_are_told_to_be_one(corpus):
    items = ITEMS + "c,c.wav,x,SAD\nd,d.wav,x,sad \ne,e.wav,y,Wut\nf,f.wav,x,WUT\ng,g.wav,x,WUT\n"
    told = "labels differ only in capitals or blanks: {}; they are taken for one"
    made = corpus(items)
    assert notes(made) == [told.format("sad 2, SAD 1, 'sad ' 1; WUT 2, Wut 1")]
    classes = Classes(("sad", "wut")).targets(made.items, made.ratings)
    assert classes.values.argmax(1).tolist() == [0, 0, 0, 0, 1, 1, 1]  # and one they are
    # a map in lower case is of all spellings, any other of its own
    assert notes(corpus(items, card='label_map = {wut = "angry", sad = ""}')) == notes(made)
    assert notes(corpus(items, card='label_map = {Wut = "angry"}')) == [
        told.format("sad 2, SAD 1, 'sad ' 1"),
        "labels differ only in capitals or blanks: WUT 2, Wut 1; label_map names some of them, so they are not one; "
        "name each of them there",
    ]
    assert notes(corpus(items, card='label_map = {SAD = ""}'))[1].startswith(
        "labels differ only in capitals or blanks: sad 2, SAD 1, 'sad ' 1; label_map names some of them"
    )


def test_of_many_labels_in_several_spellings_the_first_are_told(corpus):
    rows = [f"{k}{case},{k}.wav,x,{case}{k}" for k in range(5) for case in "aA"]
    (note,) = [note for note in notes(corpus(ITEMS + "\n".join(rows))) if "capitals" in note]
    assert note == (
        "labels differ only in capitals or blanks: a0 1, A0 1; a1 1, A1 1; a2 1, A2 1 (and 2 more such labels); they "
        "are taken for one"
    )


def test_paths_of_media_in_a_column_that_nothing_reads_are_told(corpus, tmp_path):
    items = "id,Datei,text,speaker,label\na,a.WAV,yes,x,sad\nb,b.wav,no,y,sad\n"
    assert notes(corpus(items)) == []  # there is no such file
    (tmp_path / "a.WAV").write_bytes(b"RIFF")
    assert notes(corpus(items)) == [
        "column Datei holds paths of recordings, such as a.WAV, which is there, and is not read; name it audio, or "
        'say so in corpus.toml: [columns] audio = "Datei"'
    ]
    assert notes(corpus(items, card='[columns]\naudio = "Datei"')) == []
    assert notes(corpus(items.replace("b.wav", "?"))) == []
    assert notes(corpus(ITEMS.replace("label", "Datei,label").replace(",sad", ",a.WAV,sad"))) == []  # it has audio


def test_columns_that_may_be_labels_are_named(tmp_path):
    (tmp_path / "items.csv").write_text("image,speaker,age\na.png,x,31\nb.png,y,40\n")
    (note,) = notes(open_corpus(tmp_path))
    assert 'labels, such as age, say which in corpus.toml: [columns] label = "age", or' in note
    (tmp_path / "items.csv").write_text("image,speaker\na.png,x\nb.png,y\n")
    (note,) = notes(open_corpus(tmp_path))
    assert note.endswith('if a column holds labels, call it label, or name it in corpus.toml: [columns] label = "..."')
