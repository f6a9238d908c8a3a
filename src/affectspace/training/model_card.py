"""The card of a model: what it was trained on, how far to trust it, and whose weights and licences it carries."""

from pathlib import Path
from typing import TYPE_CHECKING

from affectspace.features.functionals import FUNCTIONALS_LICENCE
from affectspace.training.frontends import medium
from affectspace.training.recipe import Recipe
from affectspace.training.recipe_encoder import PretrainedImageEntry, PretrainedSpeechEntry
from affectspace.training.recipe_features import FunctionalsFeatures, RelativeFunctionalsFeatures

if TYPE_CHECKING:  # what a model is saved from; to open one, neither losses nor protocols are needed
    from affectspace.training.data import Data
    from affectspace.training.known import Known

__all__ = ["MEDIUM_WORDS", "augmented", "borrowed", "model_card"]

# What the card says of each medium: what it answers for, and where it is worse.
MEDIUM_WORDS = {
    "several": ("an item of several modalities", "other people, places and recordings"),
    "audio": ("the expression in a recording", "other languages, microphones and speakers"),
    "image": ("the face in a picture", "other people, cameras, poses and light"),
    "video": ("the face in a video", "other people, cameras, poses and light"),
    "text": ("what somebody says", "other languages, topics and speakers"),
}


def model_card(
    recipe: Recipe, data: "Data", test: dict[str, float], known: "Known | None", weighed: dict[str, float]
) -> str:
    """The card of a model, as Markdown: its data and their licences, its scores, its use and limits.

    Args:
        recipe: what it was trained by.
        data: on what.
        test: its figures on the test items; empty where there were none.
        known: the training items that it keeps.
        weighed: the part of each layer of a speech model, by its name; empty of other nets.
    """
    corpora = "\n".join(
        f"- {c['name']} ({', '.join(c['language']) or 'language not stated'}): {c['used']} items"
        f"{', {} more without a label'.format(c['unlabelled']) if c.get('unlabelled') else ''}; "
        f"licence: {c['licence'] or 'not stated'}"
        for c in data.about["corpora"]
    )
    smiles = FunctionalsFeatures | RelativeFunctionalsFeatures
    functionals = any(isinstance(view.features, smiles) for view in recipe.per_modality().values())
    licence = f"\n(licence: {FUNCTIONALS_LICENCE})" if functionals else ""
    classes, thing, unlike = data.measured.classes, *MEDIUM_WORDS["several" if data.several else medium(recipe)]
    learned = f" (trained on {len(data.classes)} sub-classes of them)" if data.whole else ""
    shaped = "yes: unlabelled test items shaped the normalisation or the training"
    transductive = shaped if data.protocol["transductive"] else "no"
    return f"""# {recipe.name}

Classes: {", ".join(classes)}{learned}

## Data
{corpora}

Protocol: {data.protocol["protocol"]}; kept apart: {", ".join(data.protocol["keeps_apart"])};
allowed to cross: {", ".join(data.protocol["allowed"]) or "nothing"}; transductive: {transductive}.

Features: {data.about["features"]}{licence}
{borrowed(recipe)}{_weighed(weighed)}{augmented(recipe)}{_kept(known, data.several)}
## Scores on the test items, one seed
{_tested(test, len(data.split.test))}

## Use and limits
Made by affectspace for research on expressed emotion. It says how {thing} would be labelled
by people like the raters of these corpora, not what anybody feels. Expect lower scores on {unlike}
than the test gave. Do not use it to judge individuals.
"""


def borrowed(recipe: Recipe) -> str:
    """Whose weights training began with, a line; of a folder elsewhere its name alone. Empty of a net of its own."""
    match recipe.encoder:
        case PretrainedImageEntry(frozen=frozen):
            kept = "kept as they were" if frozen else "trained further"
        case PretrainedSpeechEntry(lora=lora):
            kept = f"kept as they were, with adapters (LoRA) of rank {lora.rank} beside them"
        case _:
            return ""
    source = Path(recipe.encoder.source)
    name = source.name if source.is_absolute() else recipe.encoder.source
    return f"Weights of others: {name}, {kept}; its licence and the data that it was trained on count here too\n"


def _weighed(weights: dict[str, float]) -> str:
    """How much part each layer of a speech model has."""
    told = ", ".join(f"{name.rpartition('.')[2]} ({weight:.3f})" for name, weight in weights.items())
    return f"Layers of the speech model, and how much part each has: {told}\n" if told else ""


def augmented(recipe: Recipe) -> str:
    """How training items were changed, a line; empty where they were not."""
    changes = {**(recipe.augment.told or {}), **(recipe.views.told or {})}
    told = ", ".join(f"{name} {value}" for name, value in changes.items())
    return f"Training items were augmented: {told}\n" if told else ""


def _kept(known: "Known | None", several: bool) -> str:
    """What of its training items goes with the model, for whoever passes it on."""
    if known is None:
        return ""
    all_of_them = len(known) == known.trained_on
    drawn = "all" if all_of_them else f"{len(known):,}, drawn by the run's seed so that classes are balanced, of"
    whole = " that have every modality" if several else ""
    return (
        f"\nIt keeps {drawn} {known.trained_on:,} labelled training items{whole} (known.safetensors: id, language, "
        "label,\nembedding, and features as a vector), by which affectspace predict names the nearest to a new item.\n"
        f"{known.far.told}\n"
    )


def _tested(test: dict[str, float], count: int) -> str:
    if not test:
        return "Not tested: this run chose settings, with the test items put aside."
    values = (
        f"\nOf the numbers behind the levels: mean absolute error {test['value_mean_absolute_error']:.3f}, rank "
        f"correlation {test['value_spearman']:.3f}, R² {test['value_r2']:.3f}."
        if "value_r2" in test
        else ""
    )
    return (
        f"UAR {test['uar']:.3f} (random predictions: {test['chance_uar']:.3f}), macro F1 {test['macro_f1']:.3f},\n"
        f"Jensen-Shannon divergence from the labels {test['jensen_shannon']:.3f}, calibration error {test['ece']:.3f}; "
        f"{count} items.{values}"
    )
