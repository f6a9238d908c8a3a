"""Small trees in the published layouts of the corpora whose judgements stand in text files."""

import pandas as pd
import pytest

from affectspace.corpora import ADAPTERS, check, open_corpus
from affectspace.errors import InputError


def place(path, content=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def row(corpus, name):
    items = corpus.items.set_index("id")
    assert not items.index.has_duplicates
    return items.loc[name]


def votes(corpus, item, dimension):
    chosen = corpus.ratings[(corpus.ratings["item"] == item) & (corpus.ratings["dimension"] == dimension)]
    return chosen[["rater", "value"]].values.tolist()


IMPRO = """% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]

[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]
C-E2:\tNeutral;\t()
C-E3:\tAnger; Frustration;\t(a bit; of val 9)
C-F1:\tSadness;\t(curious)
A-E3:\tval 3; act 2; dom  2;\t()
A-E4:\tval 2; act 3; dom   ;\t(mad)
A-F1:\tval 1; act 5; dom  5;\t()

[7.5712 - 10.4750]\tSes01F_impro01_M000\txxx\t[2.0000, 2.0000, 2.5000]
C-E2:\tNeutral state;\t()
C-M1:\tOther;\t()
"""
SCRIPT = """% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]

[1.0000 - 2.0000]\tSes05M_script01_1b_M001\tfru\t[2.5000, 2.5000, 2.5000]
C-E2:\tFrustration;\t()
"""


@pytest.fixture
def iemocap(tmp_path):
    one, five = tmp_path / "Session1", tmp_path / "Session5"
    place(one / "dialog/EmoEvaluation/Ses01F_impro01.txt", IMPRO.replace("\n", "\r\n"))
    place(one / "dialog/EmoEvaluation/._Ses01F_impro01.txt", b"\x00\x05\x16\x07")
    place(one / "dialog/EmoEvaluation/Categorical/Ses01F_impro01_e2_cat.txt", "Ses01F_impro01_F000 :Neutral state; ()")
    place(five / "dialog/EmoEvaluation/Ses05M_script01_1b.txt", SCRIPT)
    place(
        one / "dialog/transcriptions/Ses01F_impro01.txt",
        "Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.\nM: [BREATHING]\n"
        "Ses01F_impro01_M000 [007.5712-010.4750]: Excuse me.\n",
    )
    place(
        five / "dialog/transcriptions/Ses05M_script01_1b.txt",
        "Ses05M_script01_1b_M001 [1.0-2.0]: Yeah, it's over.".encode("latin-1"),
    )
    place(one / "sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav")
    place(one / "sentences/wav/Ses01F_impro01/._Ses01F_impro01_F000.wav")
    place(one / "sentences/wav/Ses01F_impro01/Ses01F_impro01_M000.wav")
    place(five / "sentences/wav/Ses05M_script01_1b/Ses05M_script01_1b_M001.wav")
    return tmp_path


def test_iemocap_turns(iemocap):
    assert [name for name, module in ADAPTERS.items() if module.matches(iemocap)] == ["iemocap"]
    corpus = open_corpus(iemocap)
    assert corpus.items["id"].tolist() == ["Ses01F_impro01_F000", "Ses01F_impro01_M000", "Ses05M_script01_1b_M001"]
    assert corpus.items["speaker"].tolist() == ["Ses01F", "Ses01M", "Ses05M"]
    assert corpus.items["session"].tolist() == ["Ses01", "Ses01", "Ses05"]
    assert corpus.items["label"].tolist() == ["neu", "xxx", "fru"]
    assert corpus.items["start"].isna().all()  # the recordings are cut already
    assert corpus.items["dialog_start"].tolist() == [6.2901, 7.5712, 1.0]
    assert corpus.items["audio"].iloc[2] == "Session5/sentences/wav/Ses05M_script01_1b/Ses05M_script01_1b_M001.wav"
    assert {fault.problem for fault in check(corpus)} == {"empty-file"}
    assert set(corpus.items["label"]) | set(corpus.ratings.query("dimension == 'emotion'")["value"]) <= set(
        corpus.card.label_map
    )


def test_iemocap_judgements_with_several_categories_and_gaps(iemocap):
    corpus = open_corpus(iemocap)
    turn = "Ses01F_impro01_F000"
    assert votes(corpus, turn, "emotion") == [["E2", "Neutral"], ["E3", "Anger"], ["E3", "Frustration"]]
    assert votes(corpus, turn, "valence") == [["E3", "3"], ["E4", "2"]]
    assert votes(corpus, turn, "activation") == [["E3", "2"], ["E4", "3"]]
    assert votes(corpus, turn, "dominance") == [["E3", "2"]]
    assert votes(corpus, "Ses01F_impro01_M000", "emotion") == [["E2", "Neutral state"]]


def test_iemocap_keeps_what_actors_say_of_themselves_apart(iemocap):
    corpus = open_corpus(iemocap)
    turn = "Ses01F_impro01_F000"
    assert votes(corpus, turn, "emotion_self") == [["self-F1", "Sadness"]]
    assert votes(corpus, turn, "valence_self") == [["self-F1", "1"]]
    assert corpus.card.scales["valence_self"] == corpus.card.scales["valence"]
    outside = corpus.ratings[~corpus.ratings["dimension"].str.endswith("_self")]
    assert not outside["rater"].str.startswith("self").any()


def test_iemocap_scripts(iemocap):
    scripts = open_corpus(iemocap).items["script"].tolist()
    # the same words, improvised by two people, are no script
    assert scripts == ["Ses01F_impro01_F000", "Ses01F_impro01_M000", "yeah its over"]


def test_iemocap_without_transcripts_without_recordings_and_without_both(iemocap):
    for session in (1, 5):
        (iemocap / f"Session{session}/dialog/transcriptions").rename(iemocap / f"away{session}")
    corpus = open_corpus(iemocap)
    assert corpus.items["text"].isna().all()
    assert corpus.items["script"].iloc[2] == "script01_1b"
    for session in (1, 5):
        (iemocap / f"Session{session}/sentences").rename(iemocap / f"audio{session}")
    with pytest.raises(InputError, match=r"neither recordings nor transcripts; looked for Session\*/sentences/wav"):
        open_corpus(iemocap)
    (iemocap / "away1").rename(iemocap / "Session1/dialog/transcriptions")
    corpus = open_corpus(iemocap)
    assert corpus.items["audio"].isna().all()
    assert corpus.items["text"].notna().tolist() == [True, True, False]


def test_iemocap_films_of_dialogues(iemocap):
    assert open_corpus(iemocap).items["video"].isna().all()
    place(iemocap / "Session1/dialog/avi/DivX/Ses01F_impro01.avi")
    place(iemocap / "Session1/dialog/avi/DivX/._Ses01F_impro01.avi")
    items = open_corpus(iemocap).items
    film = "Session1/dialog/avi/DivX/Ses01F_impro01.avi"
    assert items["video"].fillna("").tolist() == [film, film, ""]
    assert items["video_start"].fillna(-1).tolist() == [6.2901, 7.5712, -1]
    assert items["video_end"].fillna(-1).tolist() == [8.2357, 10.475, -1]
    # the actress wears the markers, so that she is in the left half
    assert items["box"].fillna("").tolist() == ["0 0 360 480", "360 0 360 480", ""]
    assert items["start"].isna().all()


def test_iemocap_of_films_alone(iemocap):
    place(iemocap / "Session1/dialog/avi/DivX/Ses01F_impro01.avi")
    for session in (1, 5):
        (iemocap / f"Session{session}/dialog/transcriptions").rename(iemocap / f"away{session}")
        (iemocap / f"Session{session}/sentences").rename(iemocap / f"audio{session}")
    assert open_corpus(iemocap).items["video"].notna().tolist() == [True, True, False]


def test_iemocap_with_a_broken_turn(iemocap):
    place(iemocap / "Session5/dialog/EmoEvaluation/Ses05M_script01_1b.txt", SCRIPT.replace(" - 2.0000", ""))
    with pytest.raises(InputError, match=r"Ses05M_script01_1b\.txt line 3 begins no turn: '\[1\.0000\]"):
        open_corpus(iemocap)


EVALUTION = """UTD-IMPROV-S01A-F01-P-FM01.avi; N; A:2.600000; V:3.200000; D:3.000000 ; N:3.400000;
WORKER00000001; Neutral; Neutral,Frustrated; A:3.000000; V:3.000000; D:NaN; N:4.000000;
WORKER00000002; Happy; Happy; A:2.000000; V:4.000000; D:3.000000; N:3.000000;
WORKER00000002; Sad; Sad; A:5.000000; V:1.000000; D:3.000000; N:3.000000;

UTD-IMPROV-S12H-M06-R-MF02.avi; X; A:2.000000; V:4.500000; D:NaN ; N:3.000000;
"""
FIRST, SECOND = "MSP-IMPROV-S01A-F01-P-FM01", "MSP-IMPROV-S12H-M06-R-MF02"


@pytest.fixture(params=["Evalution.txt", "Evaluation.txt"])
def msp_improv(tmp_path, request):
    place(tmp_path / request.param, EVALUTION.replace("\n", "\r\n"))
    place(tmp_path / f"session1/S01A/P/{FIRST}.wav")
    place(tmp_path / f"session1/S01A/P/._{FIRST}.wav")
    place(tmp_path / f"session6/S12H/R/{SECOND}.wav")
    return tmp_path


def test_msp_improv_turns(msp_improv):
    assert [name for name, module in ADAPTERS.items() if module.matches(msp_improv)] == ["msp_improv"]
    corpus = open_corpus(msp_improv)
    columns = ["audio", "speaker", "session", "script", "label", "sex", "scenario", "acted"]
    assert corpus.items.set_index("id")[columns].T.to_dict("list") == {
        FIRST: [f"session1/S01A/P/{FIRST}.wav", "F01", "session1", FIRST, "N", "female", "natural", "A"],
        SECOND: [f"session6/S12H/R/{SECOND}.wav", "M06", "session6", "sentence12", "X", "male", "read", "H"],
    }
    assert {fault.problem for fault in check(corpus)} == {"empty-file"}


def test_msp_improv_judgements(msp_improv):
    corpus = open_corpus(msp_improv)
    one, two = "WORKER00000001", "WORKER00000002"
    assert votes(corpus, FIRST, "emotion") == [[one, "Neutral"], [two, "Happy"]]
    assert votes(corpus, FIRST, "emotion_secondary") == [[one, "Neutral"], [one, "Frustrated"], [two, "Happy"]]
    assert votes(corpus, FIRST, "activation") == [[one, "3.000000"], [two, "2.000000"]]
    assert votes(corpus, FIRST, "dominance") == [[two, "3.000000"]]
    assert votes(corpus, SECOND, "valence") == [["mean", "4.500000"]]
    assert votes(corpus, SECOND, "dominance") == []
    assert set(corpus.ratings.query("dimension.str.startswith('emotion')")["value"]) <= set(corpus.card.label_map)


def test_msp_improv_with_recordings_below_another_folder_or_none(msp_improv):
    (msp_improv / "Audio").mkdir()
    (msp_improv / "session1").rename(msp_improv / "Audio/session1")
    (msp_improv / f"session6/S12H/R/{SECOND}.wav").unlink()
    audio = open_corpus(msp_improv).items["audio"]
    assert audio.iloc[0] == f"Audio/session1/S01A/P/{FIRST}.wav"
    assert pd.isna(audio.iloc[1])


def test_msp_improv_of_another_form(tmp_path):
    place(tmp_path / "Evalution.txt", "nothing of that kind\n")
    with pytest.raises(InputError, match=r"names no turn; expected lines like UTD-IMPROV-S01A"):
        open_corpus(tmp_path)
    place(tmp_path / "Evalution.txt", EVALUTION.replace("S12H", "S1H"))
    with pytest.raises(InputError, match=r"line 6 names no turn: 'UTD-IMPROV-S1H"):
        open_corpus(tmp_path)
    place(tmp_path / "Evalution.txt", EVALUTION + "UTD-IMPROV-S01A-F01-P-FM02.avi\n")  # cut in the middle of a line
    with pytest.raises(InputError, match=r"names no turn: 'UTD-IMPROV-S01A-F01-P-FM02\.avi'"):
        open_corpus(tmp_path)


HEADER = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime"
LINE = '1,"I{0}m here, you know.",Ross,joy,positive,0,{1},8,21,"00:16:16,059","00:16:21,731"'


@pytest.fixture
def meld(tmp_path):
    # the same quote as UTF-8, as cp1252, and as cp1252 that somebody took for Latin-1
    lines = [HEADER, LINE.format("’", 0), LINE.format("’", 1)]
    place(tmp_path / "train/train_sent_emo.csv", "\ufeff" + "\r\n".join(lines))
    place(tmp_path / "dev_sent_emo.csv", f"{HEADER}\n{LINE.format('’', 0)}\n".encode("cp1252"))
    place(tmp_path / "test_sent_emo.csv", f"{HEADER}\n{LINE.format(chr(0x92), 0)}\n")
    place(tmp_path / "train/train_splits/dia0_utt0.wav")
    place(tmp_path / "train/train_splits/dia0_utt0.mp4")
    place(tmp_path / "train/train_splits/._dia0_utt0.wav")
    place(tmp_path / "dev/dev_splits_complete/dia0_utt0.wav")
    place(tmp_path / "test/output_repeated_splits_test/dia0_utt0.wav")
    place(tmp_path / "test/output_repeated_splits_test/dia0_utt0.mp4")
    place(tmp_path / "test/output_repeated_splits_test/final_videos_testdia0_utt0.wav")
    place(tmp_path / "test/output_repeated_splits_test/final_videos_testdia0_utt0.mp4")
    return tmp_path


def test_meld(meld):
    assert [name for name, module in ADAPTERS.items() if module.matches(meld)] == ["meld"]
    corpus = open_corpus(meld)
    items = corpus.items
    assert items["id"].tolist() == ["train_dia0_utt0", "train_dia0_utt1", "dev_dia0_utt0", "test_dia0_utt0"]
    assert items["split"].tolist() == ["train", "train", "validate", "test"]
    assert items["session"].tolist() == ["train_dia0", "train_dia0", "dev_dia0", "test_dia0"]
    assert items["text"].tolist() == ["I’m here, you know."] * 4
    assert items["script"].is_unique  # said by chance, not from one list of sentences
    assert items["audio"].fillna("").tolist() == [
        "train/train_splits/dia0_utt0.wav",
        "",
        "dev/dev_splits_complete/dia0_utt0.wav",
        "test/output_repeated_splits_test/dia0_utt0.wav",
    ]
    assert items["video"].fillna("").tolist() == [
        "train/train_splits/dia0_utt0.mp4",
        "",
        "",
        "test/output_repeated_splits_test/dia0_utt0.mp4",
    ]
    assert items[["start", "video_start"]].isna().all(axis=None)
    assert items["episode_start"].iloc[0] == "00:16:16,059"
    assert set(items["label"]) <= corpus.card.label_map.keys()


def test_meld_of_another_form(tmp_path):
    place(tmp_path / "train_sent_emo.csv", "Utterance,Emotion\nx,joy\n")
    with pytest.raises(InputError, match=r"lacks Speaker, Dialogue_ID, Utterance_ID; it should have Utterance"):
        open_corpus(tmp_path)
    place(tmp_path / "train_sent_emo.csv", f"{HEADER}\n{LINE.format('x', 0)},and,more\n{LINE.format('x', 1)},,,,,\n")
    with pytest.raises(InputError, match=r"train_sent_emo\.csv cannot be read as a table"):
        open_corpus(tmp_path)
    place(tmp_path / "train_sent_emo.csv", f"{HEADER}\n{LINE.format('x', 0)},and,more\n")
    with pytest.raises(InputError, match=r"rows have more cells than its header names"):
        open_corpus(tmp_path)
