"""A small tree in the published layout of AMI: meetings, words with times, and recordings under their names."""

import pytest

from affectspace.corpora import ADAPTERS, ami, check, notes, open_corpus
from affectspace.corpora.nxt import nxt_words, read_nxt
from affectspace.errors import InputError

NITE = 'xmlns:nite="http://nite.sourceforge.net/"'
MEETINGS = f"""<?xml version="1.0" encoding="ISO-8859-1"?>
<nite:root nite:id="meetings" {NITE}>
  <meeting observation="ES2002a" duration="40">
    <speaker nxt_agent="B" channel="1" camera="Closeup4" global_name="FEE005" role="PM"/>
    <speaker nxt_agent="A" channel="0" camera="Closeup1" global_name="MEE006" role="ID"/>
  </meeting>
  <meeting observation="IN1001"><speaker nxt_agent="A" channel="0" camera="Closeup1" global_name="MIO019"/></meeting>
</nite:root>
"""


def words(meeting, agent, *rows):
    lines = [
        f'<w nite:id="{meeting}.{agent}.words{k}" starttime="{start}" endtime="{end}">{text}</w>'
        for k, (start, end, text) in enumerate(rows)
    ]
    return f'<?xml version="1.0" encoding="ISO-8859-1"?>\n<nite:root {NITE}>\n' + "\n".join(lines) + "\n</nite:root>\n"


def place(path, content=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode("latin-1"))
    return path


EVERY_SECOND = [(float(second), second + 0.5, f"w{second}") for second in range(1, 40)]


@pytest.fixture
def tree(tmp_path):
    notes = tmp_path / "ami_public_manual_1.6.2"
    place(notes / "corpusResources/meetings.xml", MEETINGS)
    place(notes / "words/ES2002a.A.words.xml", words("ES2002a", "A", *EVERY_SECOND))
    place(
        notes / "words/ES2002a.B.words.xml", words("ES2002a", "B", (9.0, 9.2, "café"), (9.5, 9.7, "b"), (10, 11, "c"))
    )
    place(notes / "words/IN1001.A.words.xml", words("IN1001", "A", *EVERY_SECOND[:12]))
    place(tmp_path / "amicorpus/ES2002a/audio/ES2002a.Headset-0.wav")
    place(tmp_path / "amicorpus/ES2002a/audio/ES2002a.Mix-Headset.wav")
    place(tmp_path / "amicorpus/ES2002a/video/ES2002a.Closeup4.avi")
    return tmp_path


def test_segments_of_meetings(tree):
    assert [name for name, module in ADAPTERS.items() if module.matches(tree)] == ["ami"]
    corpus = open_corpus(tree)
    items = corpus.items.set_index("id")
    # around the words 4, 12, 20 and 28; 3.6 s around word 36 end behind the last word of the meeting
    assert items.index.tolist() == [
        *(f"ES2002a.A.{start:06}" for start in (65, 865, 1665, 2465)),
        "ES2002a.B.000600",
        "IN1001.A.000065",
    ]
    first = items.loc["ES2002a.A.000065"]
    assert (first["start"], first["end"]) == pytest.approx((0.65, 7.85))
    assert first["text"] == "w1 w2 w3 w4 w5 w6 w7"
    assert items.loc["ES2002a.B.000600", "text"] == "café b c"
    columns = ["speaker", "session", "series", "sex", "audio", "video"]
    audio = "amicorpus/ES2002a/audio/ES2002a"
    film = "amicorpus/ES2002a/video/ES2002a.Closeup4.avi"
    assert items[columns].fillna("").drop_duplicates().values.tolist() == [
        ["MEE006", "ES2002a", "ES2002", "male", f"{audio}.Headset-0.wav", ""],
        ["FEE005", "ES2002a", "ES2002", "female", f"{audio}.Mix-Headset.wav", film],
        ["MIO019", "IN1001", "IN1001", "male", "", ""],
    ]
    assert items[["label", "video_start"]].isna().all(axis=None)
    assert items["script"].is_unique
    assert len(corpus.ratings) == 0
    assert {(fault.column, fault.problem) for fault in check(corpus)} == {
        ("audio", "empty-file"),
        ("video", "empty-file"),
    }


def test_another_length(tree):
    items = ami.read(tree, length=3.5).items
    assert ((items["end"] - items["start"]) - 3.5).abs().max() < 1e-9
    assert len(items) > len(open_corpus(tree))


def test_annotations_in_the_folder_itself(tree):
    assert len(open_corpus(tree / "ami_public_manual_1.6.2")) == 6
    assert open_corpus(tree / "ami_public_manual_1.6.2").items["audio"].isna().all()


def test_meetings_without_a_transcript_are_counted_and_named(tree):
    folder = tree / "ami_public_manual_1.6.2/words"
    (folder / "IN1001.A.words.xml").unlink()
    (folder / "ES2002a.B.words.xml").unlink()
    corpus = open_corpus(tree)
    assert corpus.items["speaker"].unique().tolist() == ["MEE006"]
    told = "There is no transcript for 1 meeting (IN1001) and no transcript of somebody for 1 meeting (ES2002a)"
    assert told in corpus.card.note
    assert told in notes(corpus)[0]
    (folder / "ES2002a.A.words.xml").unlink()
    with pytest.raises(InputError, match=r"holds no transcripts of AMI; looked for words/ES2002a\.A\.words\.xml"):
        open_corpus(tree)


def test_punctuation_sounds_and_words_without_times(tmp_path):
    body = f"""<nite:root {NITE}>
<w nite:id="x0" starttime="1.0" endtime="1.5" punc="true">.</w>
<w nite:id="x1" starttime="1.0" endtime="1.5">That&#39;s</w>
<vocalsound nite:id="x2" starttime="1.5" endtime="1.6" type="laugh"/>
<w nite:id="x3" starttime="1.6" endtime="1.9" trunc="true">it</w><w punc="true" starttime="1.9" endtime="1.9">.</w>
<w nite:id="x4" starttime="" endtime="">um</w>
<w nite:id="x5">eh</w>
<gap nite:id="x6"/>
</nite:root>"""
    assert nxt_words(place(tmp_path / "a.xml", body)).values.tolist() == [[1.0, 1.5, "That's"], [1.6, 1.9, "it."]]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("</nite:root>", "", r"ES2002a\.A\.words\.xml line 43 is broken XML: no element found; copy the file again"),
        (">w3<", ">w3<<", r"words\.xml line 5 is broken XML: not well-formed"),
        ('starttime="3.0"', 'starttime="three"', r"starttime of ES2002a\.A\.words2 is 'three'; it must be seconds"),
        ('starttime="3.0"', 'starttime="30.0"', r"word ES2002a\.A\.words2 ends at 3\.5, before its start 30"),
        ("<nite:root ", '<!DOCTYPE x [<!ENTITY a "aaaa">]><nite:root ', r"declares a document type \(<!DOCTYPE\)"),
        ("<nite:root ", '<!DOCTYPE x SYSTEM "file:///etc/hostname"><nite:root ', r"declares a document type"),
    ],
)
def test_files_that_are_broken_or_not_to_be_trusted(tree, old, new, message):
    file = tree / "ami_public_manual_1.6.2/words/ES2002a.A.words.xml"
    place(file, file.read_text().replace(old, new))
    with pytest.raises(InputError, match=message):
        open_corpus(tree)


def test_a_document_type_in_another_encoding_is_refused_too(tmp_path):
    (tmp_path / "a.xml").write_bytes('<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE x><x/>'.encode("utf-16"))
    with pytest.raises(InputError, match="has zero bytes; copy the file again"):
        read_nxt(tmp_path / "a.xml")


@pytest.mark.parametrize(("old", "new"), [('"ES2002a"', '"../ES2002a"'), ('nxt_agent="B"', 'nxt_agent="../B"')])
def test_names_that_would_lead_elsewhere(tree, old, new):
    place(tree / "ami_public_manual_1.6.2/corpusResources/meetings.xml", MEETINGS.replace(old, new))
    with pytest.raises(InputError, match=r"names a meeting .* or a speaker in it by no letters"):
        open_corpus(tree)
