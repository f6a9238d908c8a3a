"""What a user's own table may look like, and what each mistake in it says."""

from collections import Counter

import pandas as pd
import pytest

from affectspace.corpora import ITEM_COLUMNS, RATING_COLUMNS, Scale, check, open_corpus
from affectspace.errors import InputError


def write(root, **files):
    """Files by name, with ``__`` for the dot of the ending."""
    for name, text in files.items():
        (root / name.replace("__", ".")).write_text(text, encoding="utf-8")
    return root


@pytest.mark.parametrize("name", ["items.csv", "utterances.csv", "manifest.csv", "metadata.csv"])
def test_usual_names_are_found(tmp_path, name):
    (tmp_path / name).write_text("id,audio,label\na,x.wav,sad\n")
    corpus = open_corpus(tmp_path)
    assert corpus.items["id"].tolist() == ["a"]
    assert corpus.name == tmp_path.name
    assert tuple(corpus.items.columns[: len(ITEM_COLUMNS)]) == ITEM_COLUMNS
    assert tuple(corpus.ratings.columns) == RATING_COLUMNS


def test_parquet_and_csv_give_the_same_corpus(tmp_path):
    rows = pd.DataFrame({"id": [1, 2], "path": ["a.wav", "b.wav"], "emotion": ["sad", None], "start": [0.5, None]})
    for folder in ("csv", "parquet"):
        (tmp_path / folder).mkdir()
    rows.to_csv(tmp_path / "csv/items.csv", index=False)
    rows.to_parquet(tmp_path / "parquet/items.parquet")
    one, other = (open_corpus(tmp_path / folder).items.drop(columns="corpus") for folder in ("csv", "parquet"))
    pd.testing.assert_frame_equal(one, other)


def test_well_known_names_need_no_configuration(tmp_path):
    write(
        tmp_path,
        items__csv="\ufeffFile_Name,Emotion,Speaker_ID,Transcript,Partition,lang,note\na.WAV,sad,07,Oh No!,test,de,x\n",
    )
    item = open_corpus(tmp_path).items.iloc[0]
    assert item[["id", "audio", "label", "speaker", "text", "split", "language", "note"]].tolist() == [
        "a", "a.WAV", "sad", "07", "Oh No!", "test", "de", "x",
    ]  # fmt: skip
    assert item["script"] == "oh no"


def test_a_path_column_means_what_its_values_are(tmp_path):
    write(tmp_path, items__csv="id,path,label\na,faces/a.png,sad\n")
    item = open_corpus(tmp_path).items.iloc[0]
    assert item["image"] == "faces/a.png"
    assert pd.isna(item["audio"])
    write(tmp_path, items__csv="id,path,label\na,,sad\n")
    item = open_corpus(tmp_path).items.iloc[0]
    assert pd.isna(item["audio"])


def test_text_stays_text(tmp_path):
    write(tmp_path, items__csv="id,audio,speaker,label\n007,a.wav,03,NA\n1e3,b.wav,nan,\n")
    items = open_corpus(tmp_path).items
    assert items["id"].tolist() == ["007", "1e3"]
    assert items["speaker"].tolist() == ["03", "nan"]
    assert items["label"].isna().tolist() == [False, True]


def test_numbers_with_gaps_stay_whole_in_names(tmp_path):
    pd.DataFrame({"id": ["a", "b"], "session": [1.0, None], "text": ["x", "y"]}).to_parquet(tmp_path / "items.parquet")
    assert open_corpus(tmp_path).items["session"].tolist() == ["1", pd.NA]


def test_an_exact_name_goes_before_an_alias(tmp_path):
    write(tmp_path, items__csv="id,audio,path,label,emotion\na,a.wav,b.wav,sad,joy\n")
    item = open_corpus(tmp_path).items.iloc[0]
    assert (item["audio"], item["label"], item["path"], item["emotion"]) == ("a.wav", "sad", "b.wav", "joy")


def test_a_column_can_be_chosen_or_refused(tmp_path):
    write(
        tmp_path,
        items__csv="id,audio,label,start,mood\na,a.wav,sad,00:16:16,joy\n",
        corpus__toml='[columns]\nlabel = "mood"\nstart = ""\n',
    )
    item = open_corpus(tmp_path).items.iloc[0]
    assert item["label"] == "joy"
    assert pd.isna(item["start"])
    assert item["source_start"] == "00:16:16"
    assert item["source_label"] == "sad"


def test_several_columns_name_an_item_together(tmp_path):
    rows = {"split": ["dev", "dev", "train", "train"], "dialogue": [0, 1, 0, None], "text": list("abcd")}
    pd.DataFrame(rows).to_parquet(tmp_path / "items.parquet")
    write(tmp_path, corpus__toml='columns = {id = ["split", "text"], session = ["split", "dialogue"]}\n')
    items = open_corpus(tmp_path).items
    assert items["id"].tolist() == ["dev_a", "dev_b", "train_c", "train_d"]
    assert items["session"].tolist() == ["dev_0", "dev_1", "train_0", pd.NA]
    assert items["split"].tolist() == rows["split"]
    assert items["text"].tolist() == rows["text"]


def test_different_values_are_not_joined_to_one_name(tmp_path):
    write(tmp_path, items__csv="a,b,text\nx_y,z,hm\nx,y_z,hm\n", corpus__toml='columns.id = ["a", "b"]\n')
    with pytest.raises(InputError, match=r"\('x_y', 'z'\) and \('x', 'y_z'\) would both be named 'x_y_z', joined by _"):
        open_corpus(tmp_path)


def test_times_of_the_clock_are_seconds(tmp_path):
    write(tmp_path, items__csv='id,audio,start,end\na,a.wav,"00:01:02,500",1:02:03.25\nb,b.wav,7,01:09\n')
    items = open_corpus(tmp_path).items
    assert items["start"].tolist() == [62.5, 7.0]
    assert items["end"].tolist() == [3723.25, 69.0]


@pytest.mark.parametrize(("time", "seconds"), [("0:59:59", 3599), ("99:00", 5940), ("600:00.5", 36000.5)])
def test_minutes_without_hours_may_be_any_number(tmp_path, time, seconds):
    write(tmp_path, items__csv=f"id,audio,end\na,a.wav,{time}\n")
    assert open_corpus(tmp_path).items["end"].tolist() == [seconds]


@pytest.mark.parametrize("time", ["00:99:00,000", "1:60:00", "1:100:00"])
def test_minutes_after_hours_are_below_sixty(tmp_path, time):
    write(tmp_path, items__csv=f'id,audio,end\na,a.wav,"{time}"\n')
    with pytest.raises(InputError, match=f"row 1 of corpus .*: end is '{time}'; .*, and minutes after hours, below 60"):
        open_corpus(tmp_path)


def test_card_from_the_table_where_it_agrees(tmp_path):
    write(tmp_path, items__csv="id,audio,corpus,language\na,a.wav,mine,de\nb,b.wav,mine,de\n")
    card = open_corpus(tmp_path).card
    assert (card.name, card.language) == ("mine", "de")
    write(tmp_path, items__csv="id,audio,corpus,language\na,a.wav,one,de\nb,b.wav,two,en\n")
    corpus = open_corpus(tmp_path)
    assert (corpus.name, corpus.card.language) == (tmp_path.name, "")
    assert corpus.items["corpus"].tolist() == ["one", "two"]


@pytest.mark.parametrize("cells", [("de", ""), ("", "de"), ("de", "  "), ("de", "de", "")])
def test_a_blank_language_is_not_that_of_the_other_rows(tmp_path, cells):
    rows = [f'{at},{at}.wav,"{cell}"' for at, cell in enumerate(cells)]
    write(tmp_path, items__csv="\n".join(["id,audio,language", *rows]) + "\n")
    corpus = open_corpus(tmp_path)
    assert corpus.items["language"].fillna("unknown").tolist() == [cell.strip() or "unknown" for cell in cells]
    assert corpus.card.language == ""
    (tmp_path / "corpus.toml").write_text('language = "ur"\n')  # which says what such items are of
    assert open_corpus(tmp_path).items["language"].tolist() == [cell.strip() or "ur" for cell in cells]


def test_no_other_blank_cell_takes_what_other_rows_say(tmp_path):
    ours = ["speaker", "session", "split", "script", "text", "label", "start", "end", "image", "video"]
    full = ["a.wav", "anna", "s1", "train", "x", "Oh no", "sad", "1", "2", "a.png", "a.mp4"]
    rows = [",".join(["audio", *ours]), ",".join(full), ",".join(["b.wav", *[""] * len(ours)])]
    write(tmp_path, items__csv="\n".join(rows) + "\n")
    blank = open_corpus(tmp_path).items.iloc[1]
    assert blank[blank.notna()].to_dict() == {"id": "b", "corpus": tmp_path.name, "audio": "b.wav"}


def test_blanks_around_a_language_are_no_part_of_its_name(tmp_path):
    write(tmp_path, items__csv='id,audio,language\na,a.wav,de\nb,b.wav,de \nc,c.wav,"  "\nd,d.wav,\n')
    (tmp_path / "corpus.toml").write_text('name = "mine"\nlanguage = " en "\n')
    assert open_corpus(tmp_path).items["language"].tolist() == ["de", "de", "en", "en"]
    (tmp_path / "corpus.toml").write_text('name = "mine"\nlanguage = " "\n')
    assert open_corpus(tmp_path).items["language"].isna().tolist() == [False, False, True, True]


def test_a_table_file_is_named_after_itself(tmp_path):
    write(tmp_path, study2__csv="id,audio,label\na,a.wav,sad\n")
    corpus = open_corpus(tmp_path / "study2.csv")
    assert corpus.name == "study2"
    assert corpus.root == tmp_path.resolve()


def test_toml_anywhere_names_several_tables_below_its_root(tmp_path):
    data, notes = tmp_path / "data", tmp_path / "notes"
    (data / "parts").mkdir(parents=True)
    notes.mkdir()
    write(data / "parts", s1__csv="utt,V,label\na,2.5,x\n", s2__csv="utt,V,label\nb,4,y\n")
    write(
        notes,
        mine__toml="""
            name = "mine"
            root = "../data"
            items = "parts/*.csv"
            scales.valence = {low = 1, high = 5}
            columns.id = "utt"
            mean_ratings.valence = "V"
            label_map = {x = "sad", y = ""}
            """,
    )
    corpus = open_corpus(notes / "mine.toml")
    assert corpus.root == data.resolve()
    assert corpus.items["id"].tolist() == ["a", "b"]
    assert corpus.ratings.values.tolist() == [["a", "mean", "valence", "2.5"], ["b", "mean", "valence", "4"]]
    assert corpus.card.scales == {"valence": Scale(1, 5)}
    assert corpus.card.label_map == {"x": "sad", "y": ""}


def test_a_missing_mean_is_no_rating(tmp_path):
    write(
        tmp_path,
        items__csv="id,text,V\na,x,2\nb,y,\n",
        corpus__toml='[scales.valence]\nlow=1\nhigh=5\n[mean_ratings]\nvalence="V"\n',
    )
    assert open_corpus(tmp_path).ratings["item"].tolist() == ["a"]


def test_ratings_as_rows(tmp_path):
    write(
        tmp_path,
        items__csv="file,label\na.wav,x\nb.wav,y\n",
        ratings__csv="file,annotator,emotion\na.wav,r1,sad\na.wav,r2,happy\nb.wav,r1,sad\n",
    )
    assert open_corpus(tmp_path).ratings.values.tolist() == [
        ["a", "r1", "emotion", "sad"],
        ["a", "r2", "emotion", "happy"],
        ["b", "r1", "emotion", "sad"],
    ]


def test_ratings_as_columns_keep_an_items_judgements_together(tmp_path):
    write(
        tmp_path,
        items__csv="id,text\na,x\nb,y\n",
        ratings__csv="id,worker,V,A\na,r1,1,2\na,r2,3,\nb,r1,5,5\n",
        corpus__toml='[ratings_columns]\nvalence = "V"\nactivation = "A"\n',
    )
    assert open_corpus(tmp_path).ratings.values.tolist() == [
        ["a", "r1", "valence", "1"],
        ["a", "r1", "activation", "2"],
        ["a", "r2", "valence", "3"],
        ["b", "r1", "valence", "5"],
        ["b", "r1", "activation", "5"],
    ]


def test_counts_become_that_many_votes(tmp_path):
    write(
        tmp_path,
        items__csv="id,text\na,x\nb,y\n",
        votes__csv="id,condition,A,N\na,voice,2,1\na,face,,3\nb,voice,0,0\n",
        corpus__toml="""
            ratings = "votes.csv"
            ratings_columns.dimension = "condition"
            vote_counts = {anger = "A", neutral = "N"}
            """,
    )
    ratings = open_corpus(tmp_path).ratings
    assert ratings.value_counts(["item", "dimension", "value"]).to_dict() == {
        ("a", "voice", "anger"): 2,
        ("a", "voice", "neutral"): 1,
        ("a", "face", "neutral"): 3,
    }
    assert ratings["rater"].isna().all()


def test_the_table_of_items_may_hold_the_votes(tmp_path):
    write(
        tmp_path,
        items__csv="id,image,sad,happy\na,a.png,1,2\n",
        corpus__toml='ratings = "items.csv"\nvote_counts = {sad = "sad", happy = "happy"}\n',
    )
    assert open_corpus(tmp_path).ratings["value"].tolist() == ["sad", "happy", "happy"]


@pytest.mark.parametrize("where", [".", "items.csv"])
def test_so_it_may_where_items_are_named_by_their_files(tmp_path, where):
    write(
        tmp_path,
        items__csv="image,sad,happy\nx/a.b.png,1,0\nb.png,0,2\n",
        corpus__toml='ratings = "items.csv"\nvote_counts = {sad = "sad", happy = "happy"}\n',
    )
    corpus = open_corpus(tmp_path / where)
    assert corpus.items["id"].tolist() == ["x/a.b", "b"]
    assert corpus.ratings[["item", "value"]].values.tolist() == [["x/a.b", "sad"], ["b", "happy"], ["b", "happy"]]


ITEMS = "id,audio,label\na,a.wav,sad\n"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"items__csv": "id,path,wav\na,a.wav,b.wav\n"},
            r"'path' and 'wav' could both be 'audio'.*\[columns\] audio = \"path\"",
        ),
        ({"items__csv": ITEMS, "metadata__csv": ITEMS}, r"holds both items\.csv and metadata\.csv; say which one"),
        ({"items__csv": "label\nsad\n"}, r"no id column and no media.*\[columns\] id"),
        ({"items__csv": ITEMS, "corpus__toml": "lisence = 'x'"}, r"unknown key 'lisence'; did you mean 'licence'\?"),
        (
            {"items__csv": ITEMS, "corpus__toml": "columns.adio = 'x'"},
            r"\[columns\]: unknown key 'adio'; did you mean 'audio'\?",
        ),
        (
            {"items__csv": ITEMS, "corpus__toml": "columns.id = ['id', 'x']"},
            r"\[columns\] id = 'x', but items.csv has no such column",
        ),
        (
            {"items__csv": ITEMS, "corpus__toml": "columns.id = ['id']"},
            r"\[columns\] id is \['id'\]; give two columns or more, each a text in quotes",
        ),
        (
            {"items__csv": ITEMS, "corpus__toml": "columns.label = ['id', 'label']"},
            r"several columns together name only id, speaker, session, script",
        ),
        (
            {"items__csv": "id,audio,end\na,a.wav,0:61\n", "corpus__toml": ""},
            r"row 1 of corpus .*: end is '0:61'; give seconds, such as 1.5, or a time such as 00:01:02,500",
        ),
        (
            {"items__csv": ITEMS, "corpus__toml": "columns.audio = 'x'"},
            r"audio = 'x', but items\.csv has no such column; it has: id, audio",
        ),
        (
            {"items__csv": ITEMS, "corpus__toml": "scales.v = {lo = 1}"},
            r"\[scales\.v\]: unknown key 'lo'; did you mean 'low'\?",
        ),
        (
            {"items__csv": ITEMS, "corpus__toml": "scales.v = {low = 1}"},
            r"low is 1 and high None; both must be numbers",
        ),
        (
            {"items__csv": ITEMS, "corpus__toml": "scales.v = {low = 5, high = 1}"},
            r"from 5\.0 to 1\.0; low must be less than high",
        ),
        ({"items__csv": ITEMS, "corpus__toml": "name = 3"}, r"name is 3; it must be a text in quotes"),
        ({"items__csv": ITEMS, "corpus__toml": "name = "}, r"corpus\.toml cannot be read"),
        ({"items__csv": ITEMS, "corpus__toml": "scales = 'x'"}, r"scales is 'x'; write a table: \[scales\]"),
        (
            {"items__csv": ITEMS, "corpus__toml": "mean_ratings.valence = 'label'"},
            r"add \[scales\.valence\] with low and high",
        ),
        (
            {"items__csv": ITEMS, "corpus__toml": "items = 'part*.csv'"},
            r"items = 'part\*\.csv' matches no file in .*relative to root",
        ),
        ({"items__csv": ITEMS, "corpus__toml": "items = '../x.csv'"}, r"path '\.\./x\.csv' leaves its root"),
        ({"items__csv": ITEMS, "corpus__toml": "items = 3"}, r"items is 3; give a file, a pattern"),
        (
            {"items__csv": ITEMS, "corpus__toml": "ratings_columns.item = 'x'"},
            r"no ratings table; name it, as in ratings = ",
        ),
        ({"items__csv": ITEMS, "ratings__csv": "x,y\n1,2\n"}, r"ratings\.csv has no column that names the item"),
        (
            {"items__csv": ITEMS, "ratings__csv": "item,y\n1,2\n"},
            r"ratings\.csv has no column of values; it has: item, y",
        ),
        (
            {"items__csv": ITEMS, "ratings__csv": "item,A\na,2.5\n", "corpus__toml": "vote_counts.anger = 'A'"},
            r"ratings\.csv row 1: A is '2\.5'; vote counts are whole numbers from 0",
        ),
        (
            {"items__csv": ITEMS, "ratings__csv": "item,A\na,\nb,x\n", "corpus__toml": "vote_counts.anger = 'A'"},
            r"row 2: A is 'x'",
        ),
        (
            {
                "items__csv": ITEMS,
                "ratings__csv": "item,A,v\na,2,3\n",
                "corpus__toml": "vote_counts.anger = 'A'\nratings_columns.value = 'v'",
            },
            r"three layouts of one table; choose one",
        ),
        ({"corpus__toml": "name = 'x'"}, r"no table of items in .*; looked for items\.parquet, items\.csv"),
        (
            {"items__csv": "id,audio,start\na,a.wav,soon\n"},
            r"row 1 of corpus .*: start is 'soon'; give seconds",
        ),
        ({"items__csv": 'id,audio,end\na,a.wav,1\nb,b.wav,"1,5"\n'}, r"row 2 of corpus .*: end is '1,5'; give seconds"),
        ({"items__csv": ITEMS, "corpus__toml": "items = '**x.csv'"}, r"items = '\*\*x\.csv' is no pattern of files"),
        (
            {"items__csv": ITEMS, "ratings__csv": "item,A\na,1e12\n", "corpus__toml": "vote_counts.anger = 'A'"},
            r"row 1: A is '1e12'; vote counts are whole numbers from 0 to 10,000",
        ),
        (
            {"items__csv": ITEMS, "corpus__toml": "scales.v = {low = 1, high = inf}"},
            r"from 1\.0 to inf; low must be less than high, both finite",
        ),
    ],
)
def test_mistakes_say_value_and_remedy(tmp_path, files, message):
    write(tmp_path, **files)
    with pytest.raises(InputError, match=message):
        open_corpus(tmp_path)


def test_a_link_out_of_the_root_is_refused(tmp_path):
    write(tmp_path, secret__csv=ITEMS)
    root = tmp_path / "root"
    root.mkdir()
    (root / "part.csv").symlink_to(tmp_path / "secret.csv")
    write(root, corpus__toml="items = '*.csv'")
    with pytest.raises(InputError, match=r"path 'part\.csv' leaves its root"):
        open_corpus(root)


@pytest.mark.real
def test_ratings_that_are_no_votes_break_nothing(real_data):
    corpus = open_corpus(real_data / "speech/emodb")
    assert (len(corpus), len(corpus.ratings)) == (535, 1070)
    assert corpus.items["speaker"].iloc[0] == "03"
    assert corpus.items["label"].nunique() == 7


@pytest.mark.real
@pytest.mark.parametrize(
    ("folder", "toml", "items", "ratings", "faults"),
    [
        (
            "multimodal/iemocap",
            """
            items = "iemocap_session*.parquet"
            scales = {valence = {low = 1, high = 5}, activation = {low = 1, high = 5}}
            columns.label = "emotion_code"
            mean_ratings = {valence = "valence", activation = "activation"}
            """,
            10039,
            20078,
            {"off-scale": 4},  # published means of 5.5
        ),
        (
            "text/emobank",
            """
            items = "emobank_train_dev.parquet"
            ratings = "ratings_train_dev.parquet"
            scales.valence = {low = 1, high = 5}
            ratings_columns.valence = "V"
            """,
            9062,
            91227,
            {"no-media": 1},  # a sentence without words
        ),
        (
            "speech/cremad_votes",
            """
            ratings = "votes.csv"
            ratings_columns.dimension = "condition"
            vote_counts = {anger = "A", disgust = "D", fear = "F", happy = "H", neutral = "N", sad = "S"}
            """,
            7442,
            212000,
            {},
        ),
    ],
)
def test_real_tables_need_no_code(real_data, tmp_path, folder, toml, items, ratings, faults):
    (tmp_path / "any.toml").write_text(f'root = "{real_data / folder}"\n{toml}')
    corpus = open_corpus(tmp_path / "any.toml")
    assert (len(corpus), len(corpus.ratings)) == (items, ratings)
    assert corpus.items["id"].is_unique
    assert corpus.ratings["item"].isin(corpus.items["id"]).all()
    assert Counter(fault.problem for fault in check(corpus)) == faults


@pytest.mark.real
def test_the_four_classes_of_iemocap_by_session_and_speaker(real_data, tmp_path):
    toml = f"""
    name = "iemocap"
    root = "{real_data / "multimodal/iemocap"}"
    items = "iemocap_session*.parquet"
    columns = {{id = "utterance_id", label = "label4"}}
    label_map = {{ang = "angry", hap = "happy", neu = "neutral"}}
    """
    (tmp_path / "corpus.toml").write_text(toml)
    items = open_corpus(tmp_path).items
    assert items["label"].value_counts().to_dict() == {"neu": 1708, "hap": 1636, "ang": 1103, "sad": 1084}
    assert items["session"].value_counts(sort=False).tolist() == [1819, 1811, 2136, 2103, 2170]
    assert items.groupby("session")["speaker"].nunique().tolist() == [2] * 5
    assert items[["id", "text", "start", "end"]].notna().all(axis=None)
    assert items[["audio", "video", "video_start"]].isna().all(axis=None)
