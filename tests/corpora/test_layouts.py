"""Small trees in exactly the published layouts of corpora whose files tell everything by their names."""

import pandas as pd
import pytest

from affectspace.corpora import ADAPTERS, check, open_corpus
from affectspace.errors import InputError


def plant(root, *names, **texts):
    """Empty recordings and text files; every folder also gets what a Mac leaves behind."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        (path.parent / f"._{path.name}").touch()
        (path.parent / ".DS_Store").touch()
    return root


def row(corpus, name):
    items = corpus.items.set_index("id")
    assert not items.index.has_duplicates
    return items.loc[name]


TREES = {
    "emodb": ["wav/03a01Fa.wav", "wav/16b10Td.wav", "wav/08a02Na.wav"],
    "ravdess": ["Actor_01/03-01-05-02-02-01-01.wav", "Actor_24/03-01-07-01-01-02-24.wav"],
    "urdu": ["Angry/SM1_F1_A01.wav", "Sad/SF10_F2_S02.wav", "Neutral/SM5_F3_N03.wav"],
    "ased": ["05Angry/a5-01-01-01-09.wav", "05Angry/a5-02-01-01-09.wav", "04Sad/S4-04-02-02-09.wav"],
    "cafe": ["Colère/Faible/01-C-1-1.wav", "De\u0301gou\u0302t/Fort/02-D-2-6.wav", "Neutre/12-N-1-3.wav"],
    "esd": ["0001/Angry/train/0001_000351.wav", "0011/Surprise/test/0011_001401.wav", "0011/Neutral/0011_000001.wav"],
    "crema_d": ["AudioWAV/1001_DFA_ANG_XX.wav", "AudioWAV/1091_WSI_SAD_HI.wav", "AudioMP3/1001_DFA_ANG_XX.mp3"],
}


@pytest.mark.parametrize("name", TREES)
def test_a_layout_is_found_by_its_own_adapter_only(tmp_path, name):
    plant(tmp_path, *TREES[name])
    assert [other for other, module in ADAPTERS.items() if module.matches(tmp_path)] == [name]
    corpus = open_corpus(tmp_path)
    assert corpus.name == name
    published = [file for file in TREES[name] if not file.startswith("AudioMP3")]
    assert sorted(corpus.items["audio"]) == sorted(published)
    assert {fault.problem for fault in check(corpus)} == {"empty-file"}


@pytest.mark.parametrize("name", TREES)
def test_cards_say_what_people_need_and_map_every_label(tmp_path, name):
    corpus = open_corpus(plant(tmp_path, *TREES[name]))
    assert all([corpus.card.licence, corpus.card.citation, corpus.card.note])
    assert set(corpus.items["label"]) <= corpus.card.label_map.keys()
    assert corpus.items["language"].notna().all()
    assert corpus.items["speaker"].notna().all()
    assert corpus.items["script"].notna().all() or name == "urdu"


@pytest.mark.parametrize("name", TREES)
def test_two_copies_in_one_folder_are_an_error_that_names_both(tmp_path, name):
    plant(tmp_path, *TREES[name])
    first = next(file for file in TREES[name] if not file.startswith("AudioMP3"))
    plant(tmp_path, f"{first.split('/')[0]}/copy/{first.split('/')[-1]}")
    with pytest.raises(InputError, match=r"have the same name; keep one copy"):
        open_corpus(tmp_path)


def test_emodb_with_the_listeners_percentages(tmp_path):
    plant(tmp_path, *TREES["emodb"])
    lines = ["Satz\t\terkannt\tnatürlich", "03a01Fa.wav\t90,00\t75,00", "16b10Td.wav\xa0 100\t 62,5", "99z99Za.wav 1 1"]
    (tmp_path / "erkennung.txt").write_bytes("\r\n".join(lines).encode("latin-1"))
    corpus = open_corpus(tmp_path)
    item = row(corpus, "03a01Fa")
    assert item[["speaker", "label", "sex"]].tolist() == ["03", "happiness", "male"]
    assert item["script"] == "der lappen liegt auf dem eisschrank"
    assert corpus.ratings.values.tolist() == [
        ["03a01Fa", "mean", "recognised_as_intended_pct", "90.00"],
        ["03a01Fa", "mean", "judged_natural_pct", "75.00"],
        ["16b10Td", "mean", "recognised_as_intended_pct", "100"],
        ["16b10Td", "mean", "judged_natural_pct", "62.5"],
    ]


def test_ravdess_leaves_songs_and_videos_out(tmp_path):
    plant(tmp_path, *TREES["ravdess"], "Actor_01/03-02-05-02-02-01-01.wav", "Actor_01/01-01-05-02-02-01-01.mp4")
    corpus = open_corpus(tmp_path)
    assert len(corpus) == 2
    item = row(corpus, "03-01-05-02-02-01-01")
    assert item[["speaker", "sex", "label", "intensity", "text"]].tolist() == [
        "Actor_01",
        "male",
        "angry",
        "strong",
        "Dogs are sitting by the door",
    ]
    assert row(corpus, "03-01-07-01-01-02-24")[["sex", "label"]].tolist() == ["female", "disgust"]


def test_urdu(tmp_path):
    corpus = open_corpus(plant(tmp_path, *TREES["urdu"], "Happy/sm9_f1_h07.WAV"))
    assert row(corpus, "SF10_F2_S02")[["speaker", "sex", "label"]].tolist() == ["SF10", "female", "sad"]
    assert row(corpus, "sm9_f1_h07")[["speaker", "sex", "label"]].tolist() == ["SM9", "male", "happy"]


def test_ased_with_its_capital_letter_and_its_sex_that_disagrees(tmp_path):
    corpus = open_corpus(plant(tmp_path, *TREES["ased"]))
    item = row(corpus, "S4-04-02-02-09")
    assert item[["label", "speaker", "script"]].tolist() == ["sad", "S09", "s04"]
    assert item[["sex_in_name", "sex"]].tolist() == ["male", "female"]


def test_cafe_reads_names_whatever_the_accents_of_the_folders(tmp_path):
    corpus = open_corpus(plant(tmp_path, *TREES["cafe"]))
    assert row(corpus, "02-D-2-6")[["label", "intensity", "sex"]].tolist() == ["dégoût", "fort", "female"]
    assert row(corpus, "02-D-2-6")["text"] == "Six ours aimants domestiqués"
    assert pd.isna(row(corpus, "12-N-1-3")["intensity"])


def test_esd_with_transcripts_in_their_encodings(tmp_path):
    plant(tmp_path, *TREES["esd"], "0002/Happy/0002_000701.wav", "0016/Sad/0016_001051.wav")
    (tmp_path / "0001/0001.txt").write_bytes("0001_000351\t打远一看\t生气\r\n".encode("utf-16"))
    (tmp_path / "0002/0002.txt").write_bytes("0002_000701\t打远一看\t快乐\r\n".encode("gb2312"))
    (tmp_path / "0011/0011.txt").write_bytes(
        "\ufeff0011_001401\tThe nine the eggs, I keep.\tSurprise\nbroken line\n".encode()
    )
    (tmp_path / "0016/0016.txt").write_bytes("0016_001051\tIt\x92s here.\tSad\n".encode("latin-1"))
    corpus = open_corpus(tmp_path)
    item = row(corpus, "0001_000351")
    assert item[["language", "speaker", "label", "split", "text"]].tolist() == [
        "zh",
        "0001",
        "Angry",
        "train",
        "打远一看",
    ]
    assert row(corpus, "0002_000701")[["label", "text"]].tolist() == ["Happy", "打远一看"]
    item = row(corpus, "0011_001401")
    assert item[["language", "label", "split", "text"]].tolist() == [
        "en",
        "Surprise",
        "test",
        "The nine the eggs, I keep.",
    ]
    assert row(corpus, "0016_001051")["text"] == "It’s here."
    # 1, 351, ..., 1401 are the first sentence of every emotion, in either language
    assert set(corpus.items["script"]) == {"zh-1", "en-1"}
    assert corpus.items["split"].isna().sum() == 3


SINGLE = (
    '"","localid","pos","ans","ttr","queryType","numTries","clipNum","questNum","subType","clipName","sessionNums",'
    '"respEmo","respLevel","dispEmo","dispVal","dispLevel"\n'
    '"1","r1",1,"A_80",1,1,0,1,1,4,"1001_DFA_ANG_XX",1,"A","80","A","x","50"\n'
    '"2","r1",1,"A_80",1,1,0,1,1,4,"1001_DFA_ANG_XX",1,"A","80","A","x","50"\n'
    '"3","r2",1,"D_80",1,1,0,1,1,4,"1001_DFA_ANG_XX",1,"D","80","A","x","50"\n'
    '"4","r2",1,"N_80",1,3,0,1,1,4,"1001_DFA_ANG_XX",1,"N","80","A","x","50"\n'
    '"5","r3",1,"S_80",1,2,0,2,1,4,"1091_WSI_SAD_HI",1,"S","80","S","x","80"\n'
)
COUNTS = (
    '"","A","D","F","H","N","S","fileName","numResponses","agreement","emoVote"\n'
    '"100001",1,1,0,0,0,0,"1001_DFA_ANG_XX",2,0.5,"A:D"\n'
    '"200002",0,0,0,0,0,1,"1091_WSI_SAD_HI",1,1,"S"\n'
    '"300001",0,0,0,0,1,0,"1001_DFA_ANG_XX",1,1,"N"\n'
)
VOTES = {
    ("1001_DFA_ANG_XX", "emotion", "anger"): 1,
    ("1001_DFA_ANG_XX", "emotion", "disgust"): 1,
    ("1001_DFA_ANG_XX", "emotion_audiovisual", "neutral"): 1,
    ("1091_WSI_SAD_HI", "emotion_face", "sad"): 1,
}


def votes(corpus):
    return corpus.ratings.value_counts(["item", "dimension", "value"]).to_dict()


def crema_d(root, single=None, counts=None):
    if single:
        (root / "finishedResponses.csv").write_text(single)
    if counts:
        (root / "processedResults").mkdir()
        (root / "processedResults/tabulatedVotes.csv").write_text(counts)
    return root


def test_crema_d_single_judgements_and_their_counts_are_the_same_votes(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    plant(one, *TREES["crema_d"])
    plant(other, *TREES["crema_d"])
    single = open_corpus(crema_d(one, single=SINGLE, counts=COUNTS))
    counted = open_corpus(crema_d(other, counts=COUNTS))
    assert votes(single) == votes(counted) == VOTES
    assert set(single.ratings["rater"]) == {"r1", "r2", "r3"}
    assert counted.ratings["rater"].isna().all()


def test_crema_d_without_git_lfs_falls_back_to_the_counts(tmp_path):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    corpus = open_corpus(crema_d(tmp_path, single=pointer, counts=COUNTS))
    assert votes(corpus) == VOTES
    assert corpus.items["audio"].isna().all()


def test_crema_d_by_its_recordings_alone(tmp_path):
    plant(tmp_path, *TREES["crema_d"])
    assert open_corpus(tmp_path / "AudioWAV").items["audio"].tolist() == ["1001_DFA_ANG_XX.wav", "1091_WSI_SAD_HI.wav"]
    assert len(open_corpus(tmp_path / "AudioMP3")) == 1


@pytest.mark.parametrize(
    ("single", "counts", "message"),
    [
        (SINGLE.replace("localid", "who"), None, r"finishedResponses\.csv lacks localid; it should have localid"),
        (None, COUNTS.replace('"D"', '"d"'), r"disgust = 'D', but .*tabulatedVotes\.csv has no such column"),
        (None, COUNTS.replace(",1,1,0", ",1,x,0"), r"tabulatedVotes\.csv row 1: D is 'x'; vote counts are whole"),
    ],
)
def test_crema_d_of_another_form(tmp_path, single, counts, message):
    crema_d(tmp_path, single, counts)
    with pytest.raises(InputError, match=message):
        open_corpus(tmp_path)


def test_crema_d_describes_its_actors(tmp_path):
    plant(tmp_path, *TREES["crema_d"])
    (tmp_path / "VideoDemographics.csv").write_text(
        "ActorID,Age,Sex,Race,Ethnicity\n1001,51,Male,Caucasian,Not Hispanic\n"
    )
    corpus = open_corpus(tmp_path)
    item = row(corpus, "1001_DFA_ANG_XX")
    assert item[["speaker", "sex", "age", "label", "text", "intensity"]].tolist() == [
        "1001",
        "male",
        "51",
        "anger",
        "Don't forget a jacket",
        "XX",
    ]
    assert len(corpus) == 2
