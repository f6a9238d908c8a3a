"""A corpus with sound, video and words whose truth is known, and from which each of them is missing now and then.

Invented speakers say sentences of an invented language: the voice, the drawn face and the choice of words each show
how they feel, each with noise of its own. Files: ``items.csv``, ``ratings.csv``, ``corpus.toml`` and ``truth.csv`` as
:mod:`affectspace.corpora.synthetic` has them, ``audio/*.flac``, ``video/*.mp4`` (six pictures a second), and
``words.npz``, a table of word vectors with the arrays ``words`` and ``vectors``.
"""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
import tomli_w
from numpy.typing import NDArray

from affectspace.corpora.appearances import make_look, show
from affectspace.corpora.channels import SAMPLE_RATE, make_channel
from affectspace.corpora.raters import EMOTION_CENTRES, judge_all, make_raters, make_truth
from affectspace.corpora.speakers import LANGUAGES, make_speaker, utter
from affectspace.corpora.streams import named_generator
from affectspace.corpora.synthetic import Truth, refuse_full, refuse_outside, synthetic_card
from affectspace.corpora.vocabulary import make_vocabulary
from affectspace.extras import refuse_missing
from affectspace.files import atomic_directory
from affectspace.media.video_file import write_video

__all__ = ["make_synthetic_multimodal", "plan_missing"]

NAME = "trio"
LANGUAGE = "alva"
MODALITIES = ("audio", "video", "text")
PER_SECOND = 6
SIDE = 80  # of the pictures, in pixels
RATERS, NOISE = 5, 0.6


def make_synthetic_multimodal(
    root: str | Path, items: int = 144, *, speakers: int = 6, missing: float = 1 / 3, seed: int = 0
) -> Truth:
    """Write a corpus of three modalities; the same arguments give the same bytes, with one version of PyAV.

    Emotions are crossed with speakers. Two speakers, one with a low and one with a high voice, share a session. Five
    raters judge each item by its truth, whatever is missing of it.

    Args:
        root: folder to write; it must not exist, or be empty.
        items: how many in all, at least 1.
        speakers: how many, who take turns.
        missing: share of the items without sound, without video and without words, 0 to 0.5 for each; every item keeps
            at least one, see :func:`plan_missing`.
        seed: of everything drawn.

    Returns:
        The truth: ``items`` are ``truth.csv``: id, speaker, valence, activation, emotion (what was meant), label (the
        same), said (the words, whether or not the item has them) and missing (names of modalities, or nothing).

    Raises:
        InputError: a count or share out of its range, a folder with files in it, or PyAV is not installed.

    Example:
        >>> import tempfile
        >>> truth = make_synthetic_multimodal(Path(tempfile.mkdtemp()) / "trio", items=4, speakers=2, missing=0)
        >>> truth.items[["id", "emotion"]].values.tolist()
        [['s01-000', 'angry'], ['s02-000', 'angry'], ['s01-001', 'happy'], ['s02-001', 'happy']]
        >>> sorted(path.name for path in truth.root.iterdir())
        ['audio', 'corpus.toml', 'items.csv', 'ratings.csv', 'truth.csv', 'video', 'words.npz']
    """
    root = Path(root)
    refuse_outside(("items", items, 1, 99_000), ("speakers", speakers, 1, 99), ("missing", missing, 0, 0.5))
    refuse_full(root)
    refuse_missing("video", "writing video needs", "av")
    truth = _truth(items, speakers, missing, seed)
    people = make_raters(RATERS, NOISE, 0, seed, NAME)
    labels = LANGUAGES[LANGUAGE].labels
    with atomic_directory(root) as folder:
        for name in ("audio", "video"):
            (folder / name).mkdir()
        rows = [_write(folder, item, seed) for item in truth.to_dict("records")]
        pd.DataFrame(rows).to_csv(folder / "items.csv", index=False)
        judge_all(truth, people, labels, seed, NAME).to_csv(folder / "ratings.csv", index=False)
        truth.to_csv(folder / "truth.csv", index=False)
        with open(folder / "words.npz", "wb") as file:
            table = make_vocabulary(LANGUAGES[LANGUAGE]).table
            np.savez(file, words=table["words"], vectors=table["vectors"])
        note = "Synthetic voices, faces and words: results say that the machinery works, not how people feel."
        card = synthetic_card(NAME, LANGUAGE, seed) | {"note": note}
        (folder / "corpus.toml").write_bytes(tomli_w.dumps(card).encode())
    truth["fault"] = pd.NA
    return Truth(root, NAME, truth, people)


def plan_missing(groups: pd.Series, missing: float, seed: int) -> list[tuple[str, ...]]:
    """What each item lacks: each modality is missing in the same share, up to an item, and nobody lacks all three.

    ``missing`` of the items lack one modality, as many lack two, and the rest lack none, each choice being as frequent
    as the others, in each group as in all; who lacks what is drawn. With a third, a third of the items is complete.

    Args:
        groups: of each item, such as its emotion, so that what is missing tells nothing of it.
        missing: share of the items that lack a modality, the same for each of them, 0 to 0.5.
        seed: of the draw.

    Returns:
        The names of what is missing, for each item in order.

    Example:
        >>> plan = plan_missing(pd.Series(["sad"] * 9), 1 / 3, seed=0)
        >>> [sum(name in lacking for lacking in plan) for name in MODALITIES], plan.count(())
        ([3, 3, 3], 3)
    """
    ones = [(name,) for name in MODALITIES]
    twos = [tuple(name for name in MODALITIES if name != kept) for kept in MODALITIES]
    kinds = [*ones, *twos, ()]
    edges = missing / len(MODALITIES) * np.arange(1, len(kinds))
    groups = groups.reset_index(drop=True)
    drawn = pd.Series(0.0, index=groups.index)  # of each item, its place in a draw of its group, 0..1
    for group, places in groups.groupby(groups).groups.items():
        order = named_generator(seed, NAME, "missing", group).permutation(len(places))
        drawn[places] = (order + 0.5) / len(places)
    plan: list[tuple[str, ...]] = [()] * len(groups)
    for rank, at in enumerate(drawn.sort_values(kind="stable").index):
        plan[int(at)] = kinds[int(np.searchsorted(edges, (rank + 0.5) / len(groups), side="right"))]
    return plan


def _truth(items: int, speakers: int, missing: float, seed: int) -> pd.DataFrame:
    vocabulary, rows = make_vocabulary(LANGUAGES[LANGUAGE]), []
    for number in range(items):
        turn, speaker = divmod(number, speakers)
        key = f"s{speaker + 1:02}-{turn:03}"
        emotion = list(EMOTION_CENTRES)[turn % len(EMOTION_CENTRES)]
        valence, activation = make_truth(emotion, seed, NAME, key)
        said = vocabulary.sentence(emotion, named_generator(seed, NAME, "words", key)).text
        rows.append({"id": key, "speaker": key[:3], "valence": valence, "activation": activation})
        rows[-1] |= {"emotion": emotion, "label": emotion, "said": said}
    truth = pd.DataFrame(rows)
    return truth.assign(missing=[" ".join(lacking) for lacking in plan_missing(truth["emotion"], missing, seed)])


def _write(folder: Path, item: dict, seed: int) -> dict[str, str | None]:
    """Write the media of an item, those that it has; returns its row of ``items.csv``."""
    key, lacking = item["id"], item["missing"].split()
    number = int(key[1:3]) - 1
    paths = {"audio": f"audio/{key}.flac", "video": f"video/{key}.mp4", "text": item["said"]}
    row = {"id": key, "speaker": item["speaker"], "session": f"session{number // 2 + 1}", "script": key}
    row |= {name: None if name in lacking else paths[name] for name in MODALITIES} | {"label": item["label"]}
    if row["audio"] is None and row["video"] is None:
        return row
    voice = make_speaker(number, named_generator(seed, NAME, "speaker", item["speaker"]))
    vocabulary = make_vocabulary(LANGUAGES[LANGUAGE])
    sentence = vocabulary.sentence(item["emotion"], named_generator(seed, NAME, "words", key))
    generator = named_generator(seed, NAME, "audio", key)
    feeling = (item["valence"], item["activation"])
    speech = utter(LANGUAGES[LANGUAGE], voice, sentence, *feeling, generator)
    samples = make_channel(named_generator(seed, NAME, "channel")).record(speech, generator)
    if row["audio"]:
        soundfile.write(folder / row["audio"], samples, SAMPLE_RATE, subtype="PCM_16")
    if row["video"]:
        look, pose = make_look(named_generator(seed, NAME, "look", item["speaker"]))
        moved = named_generator(seed, NAME, "video", key)
        strength = voice.expressiveness
        pictures = show(look, pose, *feeling, _loudness(samples), moved, strength=strength, side=SIDE)
        write_video(folder / row["video"], pictures, PER_SECOND)
    return row


def _loudness(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """How loud it is during each picture, 0..1, relative to the loudest."""
    count = math.ceil(len(samples) * PER_SECOND / SAMPLE_RATE)
    level = np.array([np.sqrt(np.mean(part**2)) for part in np.array_split(samples, count)])
    return level / level.max()
