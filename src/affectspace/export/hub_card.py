"""The card of a model as the hub shows it: what it may be used for, whom it was tested on, and how well it did."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from affectspace.export.groups import GroupScore, SpeakerSpread
from affectspace.features.functionals import FUNCTIONALS_LICENCE
from affectspace.training import Model
from affectspace.training.known import Known
from affectspace.training.model_card import MEDIUM_WORDS, augmented, borrowed
from affectspace.training.recipe_features import FunctionalsFeatures, RelativeFunctionalsFeatures

__all__ = ["Facts", "hub_card"]

TASKS = {"audio": "audio-classification", "image": "image-classification", "video": "video-classification",
         "text": "text-classification"}  # fmt: skip
TAGS = {"audio": "speech-emotion-recognition", "image": "facial-expression-recognition"}
PRIVATE = re.compile("q[a-t][a-z]")  # codes of languages that nobody has registered, such as of invented ones


@dataclass(frozen=True)
class Facts:
    """What a card is written from.

    Args:
        model: of the run.
        data: its record of corpora, licences and agreement, :attr:`Run.data`.
        metrics: its final figures, :attr:`Run.metrics`.
        groups: scores of its test items by corpus and what is known of speakers.
        spread: how far single speakers lie apart; None where nobody can tell.
        gone: corpora that were not there to tell of their speakers.
        known: the training items that go with it; None: none do.
        needs: files that the model makes features by and that are not part of it.
        name: ``OWNER/NAME`` on the hub; None: not known yet.
    """

    model: Model
    data: Mapping[str, Any]
    metrics: Mapping[str, Any]
    groups: Sequence[GroupScore]
    spread: SpeakerSpread | None
    gone: Sequence[str]
    known: Known | None
    needs: Sequence[str]
    name: str | None = None


def hub_card(facts: Facts) -> str:
    """The card as Markdown behind the hub's front matter; no path of a machine is in it."""
    sections = (_opening, _loading, _data, _raters, _protocol, _scores, _groups, _kept, _limits)
    return "\n\n".join([_front_matter(facts), *filter(None, (section(facts) for section in sections))]) + "\n"


def _front_matter(facts: Facts) -> str:
    """YAML, of which JSON is a part, so that no name need be guarded."""
    corpora = _corpora(facts)
    languages = sorted({code for each in corpora for code in each.get("language") or () if _registered(code)})
    medium = facts.model.medium
    told: dict[str, Any] = {
        "library_name": "affectspace",
        "license": "other",
        "license_name": "as-its-corpora-allow",
        "pipeline_tag": TASKS.get(medium),
        "language": languages,
        "tags": ["affective-computing", "emotion-recognition", *filter(None, [TAGS.get(medium)])],
        "datasets": [each["name"] for each in corpora],
        "metrics": ["recall", "f1"],
        "model-index": [{"name": facts.model.recipe.name, "results": _results(facts)}],
    }
    if not told["model-index"][0]["results"]:
        del told["model-index"]
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in told.items() if value]
    return "\n".join(["---", *lines, "---"])


def _results(facts: Facts) -> list[dict[str, Any]]:
    task = {"type": TASKS.get(facts.model.medium, "other"), "name": "emotion recognition"}
    tested = {"test": (facts.metrics.get("protocol") or "test items", facts.metrics.get("test") or {})}
    tested |= {name: (f"{name}, never seen", own) for name, own in (facts.metrics.get("unseen") or {}).items()}
    return [
        {
            "task": task,
            "dataset": {"name": name, "type": kind},
            "metrics": [
                {"type": "recall", "name": "UAR", "value": round(figures["uar"], 4)},
                {"type": "f1", "name": "macro F1", "value": round(figures["macro_f1"], 4)},
            ],
        }
        for kind, (name, figures) in tested.items()
        if figures
    ]


def _opening(facts: Facts) -> str:
    model, (thing, _) = facts.model, MEDIUM_WORDS[facts.model.medium]
    learned = "" if model.parents is None else f" It was trained on {len(model.parents)} sub-classes of them."
    return (
        f"# {model.recipe.name}\n\nHow people like the raters named below would label {thing}: "
        f"{', '.join(model.classes)}.{learned} A vector comes with it, in a space whose distances follow the labels.\n"
        "It does not say what anybody feels."
    )


def _loading(facts: Facts) -> str:
    name = f"hf:{facts.name or 'OWNER/NAME'}"
    file = {"audio": "clip.wav", "image": "face.png"}.get(facts.model.medium)
    ask = f"affectspace predict {name} {file}" if file else f"affectspace embed {name} CORPUS --out vectors.parquet"
    needs = (
        f"\n\nTo make features it needs {', '.join(facts.needs)}, which are no part of it: they must lie below the "
        "folder where it is used."
        if facts.needs
        else ""
    )
    return f"""## How to use it

```
pip install "affectspace[hub]"
{ask}
```

```python
from affectspace.training import load_model

model = load_model("{name}")  # .classes, .frontend, and model(features) -> embeddings, probabilities
```{needs}"""


def _data(facts: Facts) -> str:
    rows = [
        (
            each["name"], ", ".join(each.get("language") or ()) or "not stated", f"{each['used']:,}",
            str(each.get("unlabelled") or 0), each.get("licence") or "not stated: ask whoever gave you the corpus",
            each.get("citation") or "not stated",
        )
        for each in _corpora(facts)
    ]  # fmt: skip
    table = _table(("corpus", "language", "items", "without label", "licence", "citation"), rows)
    smiles = FunctionalsFeatures | RelativeFunctionalsFeatures
    made = any(isinstance(view.features, smiles) for view in facts.model.recipe.per_modality().values())
    functionals = f"\n\nFeatures are openSMILE's; licence: {FUNCTIONALS_LICENCE}." if made else ""
    more = (borrowed(facts.model.recipe) + augmented(facts.model.recipe)).strip()
    return (
        f"## Data and licences\n\n{table}\n\nWhat these licences allow of a model is for whoever passes it on to find "
        f"out; the model adds no licence of its own.{functionals}" + (f"\n\n{more}" if more else "")
    )


def _raters(facts: Facts) -> str:
    rows = []
    for each in _corpora(facts):
        for dimension, own in (each.get("agreement") or {}).items():
            alpha = f"none: {own['reason']}" if own["alpha"] is None else f"{own['alpha']:.3f}"
            counts = f"{own['ratings_per_item']:.1f}", "unknown" if own["raters"] is None else str(own["raters"])
            rows.append((each["name"], dimension, alpha, own["level"], *counts))
    if not rows:
        return "## Agreement of raters\n\nNot known: the corpora name no ratings, but one label an item."
    headings = ("corpus", "rated", "Krippendorff's alpha", "level", "ratings an item", "raters")
    return f"## Agreement of raters\n\n1 is perfect agreement, 0 what chance gives.\n\n{_table(headings, rows)}"


def _protocol(facts: Facts) -> str:
    data, metrics = facts.data, facts.metrics
    apart, allowed = (", ".join(data.get(key) or ()) for key in ("keeps_apart", "allowed"))
    shaped = (
        "\nTransductive: unlabelled test items shaped the normalisation or the training, so new data will do worse."
        if data.get("transductive")
        else ""
    )
    counts = metrics.get("counts") or {}
    told = ", ".join(f"{counts[part]:,} to {part}" for part in ("train", "validate", "test") if counts.get(part))
    return (
        f"## How it was tested\n\n{data.get('protocol') or 'protocol not recorded'}; {told}. Kept apart: "
        f"{apart or 'nothing'}; allowed to cross: {allowed or 'nothing'}. The epoch was chosen by validation items "
        f"alone, or is the last. One seed ({metrics.get('seed')}): another gives somewhat other figures.{shaped}"
    )


def _scores(facts: Facts) -> str:
    test = facts.metrics.get("test") or {}
    tested = {"test items": test} if test else {}
    tested |= {
        f"{name}, of which training saw nothing": own for name, own in (facts.metrics.get("unseen") or {}).items()
    }
    if not tested:
        return "## Scores\n\nNot tested: this run chose settings, with the test items put aside."
    rows = [
        (name, *(_share(own.get(key)) for key in ("uar", "chance_uar", "macro_f1")), _number(own.get("jensen_shannon")),
         _number(own.get("ece")))
        for name, own in tested.items()
    ]  # fmt: skip
    headings = ("of", "UAR %", "chance %", "macro F1 %", "Jensen-Shannon", "calibration error")
    values = (
        f"\n\nOf the numbers behind the levels: mean absolute error {test['value_mean_absolute_error']:.3f}, rank "
        f"correlation {test['value_spearman']:.3f}, R² {test['value_r2']:.3f}."
        if test.get("value_r2") is not None
        else ""
    )
    over = facts.metrics.get("over_speakers") or {}
    with_others = (
        f"\n\nWith other speakers like these {over['speakers']} the UAR lies within {_share(over['uar'][0])} and "
        f"{_share(over['uar'][1])} % (95 %)."
        if over.get("uar")
        else f"\n\nWhere it lies with other speakers is not known: {over['none']}."
        if over.get("none")
        else ""
    )
    return (
        "## Scores\n\nUAR is the mean recall of the classes, Jensen-Shannon the divergence from what raters said (less "
        f"is better).\n\n{_table(headings, rows)}{values}{with_others}"
    )


def _groups(facts: Facts) -> str:
    if not facts.groups:
        return ""
    rows = [
        (
            each.by, each.group, f"{each.items:,}", "unknown" if each.speakers is None else str(each.speakers),
            _share(each.uar), _share(each.chance),
            "too few speakers" if each.interval is None else " to ".join(map(_share, each.interval)),
        )
        for each in facts.groups
    ]  # fmt: skip
    headings = ("by", "group", "items", "speakers", "UAR %", "chance %", "with other speakers (95 %)")
    spread = facts.spread
    single = (
        f"Single speakers with ten items or more ({spread.speakers}): UAR from {_share(spread.lowest)} to "
        f"{_share(spread.highest)} %, half of them below {_share(spread.median)} %."
        if spread
        else "How far single speakers lie apart is not told: fewer than two are known by name with ten items or more."
    )
    told = {each.by for each in facts.groups}
    lacking = [name for name in ("language", "sex", "age") if name not in told]
    gone = f"; {', '.join(facts.gone)} was not there to be looked at" if facts.gone else ""
    missing = (
        f"\n\nNot told by {', '.join(lacking)}: the corpora do not say, or all test items are of one group{gone}. "
        "Nothing is known of what no corpus records, such as accents, dialects, health or origin."
    )
    return (
        "## Scores by corpus and group of speakers\n\nTest items; groups of ten items or more. UAR is over the classes "
        f"that occur in a group, so figures of groups that lack some are not to be ranked.\n\n"
        f"{_table(headings, rows)}\n\n{single}{missing if lacking else ''}"
    )


def _kept(facts: Facts) -> str:
    known = facts.known
    if known is None:
        return (
            "## Training items in this repository\n\nNone. So nothing tells whether a new item is like any that it was "
            "trained on."
        )
    return (
        f"## Training items in this repository\n\n`known.safetensors` has the id, language, label, embedding and a "
        f"summary of the features of {len(known):,} of {known.trained_on:,} training items: no sound, picture or "
        f"text. By them `affectspace predict` names the nearest to a new item and warns of what is like none. "
        f"{known.far.told}"
    )


def _limits(facts: Facts) -> str:
    thing, unlike = MEDIUM_WORDS[facts.model.medium]
    return f"""## Intended use and limits

Meant for research on expressed emotion: comparing corpora and methods, and looking through collections that people
then hear or see for themselves.

- It answers how {thing} would be labelled by people like its raters, in these {len(facts.model.classes)} words. What
  somebody feels is another question, which it cannot answer.
- Much of what such corpora hold is acted or taken from films and shows. Expect lower scores on everyday life, and on
  {unlike}, than the test gave.
- It answers for everything, for noise as surely as for a voice; heed the warning that an item is far from all
  training data.
- Not for decisions about a person: hiring, schooling, insurance, policing, borders, health, or the watching of
  workers and pupils. Some laws forbid inferring emotions at work or at school.
- Groups that the table above does not tell of were not tested."""


def _corpora(facts: Facts) -> Sequence[Mapping[str, Any]]:
    return facts.data.get("corpora") or ()


def _registered(code: str) -> bool:
    return re.fullmatch("[a-z]{2,3}", code) is not None and PRIVATE.fullmatch(code) is None


def _share(value: float | None) -> str:
    return "-" if value is None or value != value else f"{100 * value:.1f}"


def _number(value: float | None) -> str:
    return "-" if value is None or value != value else f"{value:.3f}"


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(
        f"| {' | '.join(str(cell).replace('|', '/').replace(chr(10), ' ') for cell in row)} |" for row in lines
    )
