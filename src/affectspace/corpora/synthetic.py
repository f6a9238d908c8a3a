"""A corpus whose truth is known: invented speakers say how they feel, and invented raters judge it.

One call writes one corpus in one language; :func:`make_synthetic_world` writes one per language, side by
side, since a cross-corpus protocol takes corpora by their names. Each has its own sentences, sounds,
rhythm, intonation, speakers and recording channel, so that there is a real gap between them.

Files: ``items.csv``, ``ratings.csv`` and ``corpus.toml`` as :mod:`affectspace.corpora.table` reads them,
``audio/*.flac`` at 16 kHz, and ``truth.csv``, one row an item in the order of ``items.csv``.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import soundfile
import tomli_w

from affectspace.corpora.channels import SAMPLE_RATE, make_channel
from affectspace.corpora.planted import FAULTS, plant
from affectspace.corpora.raters import EMOTION_CENTRES, Rater, judge_all, make_raters, make_truth
from affectspace.corpora.speakers import LANGUAGES, make_sentences, make_speaker, utter
from affectspace.corpora.streams import named_generator
from affectspace.errors import InputError
from affectspace.files import atomic_directory

__all__ = ["Truth", "make_synthetic", "make_synthetic_world", "refuse_full", "refuse_outside", "synthetic_card"]

SENTENCES = 6


@dataclass(frozen=True)
class Truth:
    """What a synthetic corpus is made of.

    Args:
        root: the corpus's folder.
        name: the corpus's name.
        items: ``truth.csv``: id, speaker, valence and activation (1..5), emotion (what was meant), label
            (what the corpus says, in shared words), wrong_label, fault (a key of ``planted.FAULTS``, or missing) and
            fault_row (its row from 1: of the ratings for a vote off the scale, else of the items).
        raters: who judges, with what bias and noise, and who votes at random.
    """

    root: Path
    name: str
    items: pd.DataFrame
    raters: list[Rater]

    @property
    def faults(self) -> pd.DataFrame:
        """The rows of ``items`` in which a fault was planted."""
        return self.items.loc[self.items["fault"].notna()]


def make_synthetic(
    root: str | Path,
    language: str = "alva",
    *,
    name: str | None = None,
    speakers: int = 6,
    items_per_speaker: int = 24,
    raters: int = 5,
    rater_noise: float = 0.6,
    careless: int = 1,
    wrong_labels: int = 0,
    faults: Literal["none", "media", "all"] = "none",
    seed: int = 0,
) -> Truth:
    """Write a corpus whose truth is known; the same arguments give the same bytes.

    Emotions and sentences are crossed within a speaker, so no sentence gives its emotion away; with 24
    items a speaker each of 4 emotions meets each of 6 sentences once. Two speakers, one with a low and
    one with a high voice, share a session. An item's audio and votes depend on nothing but the seed, the
    corpus's name and its own id: a smaller corpus is a part of a larger one.

    Args:
        root: folder to write; it must not exist, or be empty.
        language: one of ``LANGUAGES``: alva, boro, cirin.
        name: name of the corpus; by default the language. Another name means other speakers and another channel.
        speakers: how many, at least 1.
        items_per_speaker: how many, at least 1.
        raters: raters of every item, at least 0. Each gives a valence and an activation (whole numbers 1..5)
            and an emotion, from how the item seems to them: the truth plus their bias plus noise.
        rater_noise: standard deviation of that noise in points of the scale, at least 0.
        careless: how many of the raters vote at random.
        wrong_labels: how many items get a label that was not meant.
        faults: ``"media"`` plants one of each fault of the recordings, ``"all"`` those of the tables, too;
            :data:`affectspace.corpora.planted.FAULTS` names them. Training goes on without what is at fault and
            counts it; code that makes targets from such tables by itself is refused the double id and the vote.
        seed: of everything drawn.

    Raises:
        InputError: an unknown language or kind of faults, a count out of its range, or a folder with files in it.

    Example:
        >>> import tempfile
        >>> truth = make_synthetic(Path(tempfile.mkdtemp()) / "alva", speakers=1, items_per_speaker=4)
        >>> truth.items[["id", "emotion"]].values.tolist()
        [['s01-00', 'angry'], ['s01-01', 'happy'], ['s01-02', 'neutral'], ['s01-03', 'sad']]
        >>> sorted(path.name for path in truth.root.iterdir())
        ['audio', 'corpus.toml', 'items.csv', 'ratings.csv', 'truth.csv']
    """
    root = Path(root)
    _refuse(root, language, speakers, items_per_speaker, raters, rater_noise, careless, wrong_labels, faults)
    name = name or language
    tongue = LANGUAGES[language]
    items, truth = _items(name, language, speakers, items_per_speaker, seed)
    _mislabel(truth, wrong_labels, named_generator(seed, name, "wrong labels"))
    items["label"] = [tongue.labels[label] for label in truth["label"]]
    people = make_raters(raters, rater_noise, careless, seed, name)
    ratings = judge_all(truth, people, tongue.labels, seed, name)
    with atomic_directory(root) as folder:
        (folder / "audio").mkdir()
        sentences = make_sentences(tongue, SENTENCES)
        for speaker, rows in truth.groupby("speaker", sort=False):
            number = int(str(speaker)[1:]) - 1
            voice = make_speaker(number, named_generator(seed, name, "speaker", speaker))
            channel = make_channel(named_generator(seed, name, "channel"))
            for row in rows.index:
                generator = named_generator(seed, name, "audio", truth.at[row, "id"])
                valence, activation = (float(truth[column].to_numpy()[row]) for column in ("valence", "activation"))
                sentence = sentences[int(str(items.at[row, "script"])[1:]) - 1]
                speech = utter(tongue, voice, sentence, valence, activation, generator)
                samples = channel.record(speech, generator)
                soundfile.write(folder / str(items.at[row, "audio"]), samples, SAMPLE_RATE, subtype="PCM_16")
        items, ratings, truth = plant(folder, items, ratings, truth, faults, named_generator(seed, name, "faults"))
        items.to_csv(folder / "items.csv", index=False)
        ratings.to_csv(folder / "ratings.csv", index=False)
        truth.to_csv(folder / "truth.csv", index=False)
        (folder / "corpus.toml").write_bytes(tomli_w.dumps(synthetic_card(name, language, seed)).encode())
    return Truth(root, name, truth, people)


def make_synthetic_world(
    root: str | Path, languages: tuple[str, ...] = tuple(LANGUAGES), *, seed: int = 0, **settings
) -> dict[str, Truth]:
    """One corpus a language, each in the folder ``root / language``.

    Args:
        root: folder to write into; made when it is not there.
        languages: names of ``LANGUAGES``.
        seed: of everything drawn; corpora differ by their names.
        settings: as for :func:`make_synthetic`.

    Raises:
        InputError: as for :func:`make_synthetic`.

    Example:
        >>> import tempfile
        >>> world = make_synthetic_world(tempfile.mkdtemp(), ("alva", "boro"), speakers=1, items_per_speaker=1)
        >>> [truth.root.name for truth in world.values()]
        ['alva', 'boro']
    """
    return {language: make_synthetic(Path(root) / language, language, seed=seed, **settings) for language in languages}


def _items(
    name: str, language: str, speakers: int, items_per_speaker: int, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    sentences = make_sentences(LANGUAGES[language], SENTENCES)
    items, truth = [], []
    for speaker in range(1, speakers + 1):
        for k in range(items_per_speaker):
            key = f"s{speaker:02}-{k:02}"
            emotion = list(EMOTION_CENTRES)[k % len(EMOTION_CENTRES)]
            sentence = (k // len(EMOTION_CENTRES)) % SENTENCES
            valence, activation = make_truth(emotion, seed, name, key)
            items.append(
                {
                    "id": key,
                    "language": LANGUAGES[language].code,
                    "speaker": f"s{speaker:02}",
                    "session": f"session{(speaker + 1) // 2}",
                    "script": f"t{sentence + 1:02}",
                    "audio": f"audio/{key}.flac",
                    "text": sentences[sentence].text,
                }
            )
            truth.append({"id": key, "speaker": f"s{speaker:02}", "valence": valence, "activation": activation})
            truth[-1] |= {"emotion": emotion, "label": emotion, "wrong_label": False}
    return pd.DataFrame(items), pd.DataFrame(truth)


def _mislabel(truth: pd.DataFrame, count: int, generator: np.random.Generator) -> None:
    for row in generator.permutation(len(truth))[:count]:
        others = [emotion for emotion in EMOTION_CENTRES if emotion != truth.at[row, "emotion"]]
        truth.loc[row, ["label", "wrong_label"]] = [others[generator.integers(len(others))], True]


def synthetic_card(name: str, language: str, seed: int) -> dict[str, Any]:
    """What ``corpus.toml`` says of an invented corpus."""
    return {
        "name": name,
        "licence": "CC0-1.0",
        "citation": f"affectspace, synthetic corpus in the invented language {language}, seed {seed}",
        "language": LANGUAGES[language].code,
        "note": "Synthetic speech: results on it say that the machinery works, not how people feel.",
        "scales": {dimension: {"low": 1, "high": 5} for dimension in ("valence", "activation")},
        "label_map": {own: shared for shared, own in LANGUAGES[language].labels.items()},
    }


def _refuse(
    root: Path,
    language: str,
    speakers: int,
    items_per_speaker: int,
    raters: int,
    rater_noise: float,
    careless: int,
    wrong_labels: int,
    faults: str,
) -> None:
    if language not in LANGUAGES:
        raise InputError(f"language {language!r} is unknown; the invented languages are {', '.join(LANGUAGES)}")
    if faults not in {"none", "media", "all"}:
        raise InputError(f"faults is {faults!r}; legal are 'none', 'media' and 'all'")
    items = speakers * items_per_speaker
    right = 0 if faults == "none" else len(FAULTS) + 1  # and a twin for identical audio
    refuse_outside(
        ("speakers", speakers, 1, 99),
        ("items_per_speaker", items_per_speaker, 1, 1000),
        ("raters", raters, 0, 1000),
        ("rater_noise", rater_noise, 0, float("inf")),
        ("careless", careless, 0, raters),
        ("wrong_labels", wrong_labels, 0, max(items - right, 0)),
    )
    if items < right:
        raise InputError(f"faults={faults!r} needs {right} items, there are {items}; add speakers or items")
    refuse_full(root)


def refuse_outside(*given: tuple[str, float, float, float]) -> None:
    """Raise for a setting that lies outside its range: name, value, lowest and highest."""
    for what, value, low, high in given:
        if not low <= value <= high:
            raise InputError(f"{what} is {value}; legal are {low} to {high}")


def refuse_full(root: Path) -> None:
    """Raise for a folder that is none, or has files in it."""
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise InputError(f"{root} exists and is not an empty folder; give a new one, or delete it first")
