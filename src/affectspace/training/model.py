"""A trained net as a folder: config.json, model.safetensors and a card; no code, no pickle."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from affectspace.encoders import (
    MLP,
    AdaptedSpeech,
    Batch,
    ConvPool,
    ImageEncoder,
    LayerMix,
    Modality,
    MultimodalEncoder,
    PretrainedImages,
    SpeechNet,
    pad,
)
from affectspace.errors import InputError
from affectspace.features import Frontend, Normaliser, VectorTable
from affectspace.labels import Cut
from affectspace.training.answers import answers
from affectspace.training.below_data import with_data_of_run
from affectspace.training.finder_file import NAME, finder_file, keep_finder, with_kept_finder
from affectspace.training.frontends import make_frontend, make_views, medium
from affectspace.training.hub_model import model_folder
from affectspace.training.model_card import model_card
from affectspace.training.multimodal_net import make_multimodal
from affectspace.training.pretrained_source import keep_architecture, make_pretrained
from affectspace.training.recipe import Recipe, make_recipe
from affectspace.training.recipe_data import CorpusEntry, Labels, LevelLabels
from affectspace.training.recipe_encoder import (
    ConvPoolEncoder,
    ImageEncoderEntry,
    LayerMixEntry,
    MLPEncoder,
    PretrainedImageEntry,
    PretrainedSpeechEntry,
    SpeechEncoder,
)
from affectspace.training.recipe_features import FaceFeatures
from affectspace.training.recipe_modalities import LinearNet, MultimodalEncoderEntry
from affectspace.training.speech_models import (
    base_of,
    layer_figures,
    make_adapted,
    make_layer_mix,
    refuse_other_base,
    with_known_layers,
)

if TYPE_CHECKING:  # what a model is saved from; to open one, neither losses nor protocols are needed
    from affectspace.training.data import Data
    from affectspace.training.known import Known
    from affectspace.training.objective import Objective

__all__ = ["Model", "load_model", "make_encoder", "save_model"]

FORMAT = 1


def make_encoder(
    recipe: Recipe,
    bands: int | Mapping[str, int],
    classes: int,
    normaliser: Normaliser | None = None,
    kept: Path | None = None,
    revision: str | None = None,
) -> ConvPool | SpeechNet | MLP | ImageEncoder | PretrainedImages | LayerMix | AdaptedSpeech | MultimodalEncoder:
    """The net that a recipe names, for features of ``bands`` dimensions.

    Args:
        recipe: its section ``encoder``.
        bands: dimensions of a frame, channels of a pixel; of several modalities those of each.
        classes: how many it tells apart.
        normaliser: of these features, which a pretrained model undoes.
        kept: folder of a saved model, where its own weights are to follow.
        revision: which commit of a pretrained model on the hub; None: the newest.

    Raises:
        InputError: a net for pictures that there is not, or that cannot see pictures of this size; a pretrained model
            that cannot be opened.
    """
    if isinstance(recipe.encoder, MultimodalEncoderEntry):
        assert isinstance(bands, Mapping), "modalities have sizes of their own"
        return make_multimodal(recipe, recipe.encoder, bands, classes)
    assert isinstance(bands, int), "there is a single modality"
    match recipe.encoder:
        case ConvPoolEncoder() as entry:
            return ConvPool(bands, classes, entry.channels, entry.kernel, entry.hidden)
        case SpeechEncoder() as entry:
            return SpeechNet(
                bands, classes, entry.width, entry.depth, entry.dimensions, entry.non_negative, entry.dropout,
                entry.probe,
            )  # fmt: skip
        case MLPEncoder() as entry:
            return MLP(bands, classes, entry.hidden, entry.dropout, entry.limit)
        case ImageEncoderEntry() as entry:
            assert isinstance(recipe.features, FaceFeatures), "the recipe proves it"
            side = recipe.views.crop or recipe.features.side
            try:
                return ImageEncoder(
                    entry.net, bands, classes, entry.dimensions, entry.width, entry.non_negative, entry.dropout,
                    entry.probe, side,
                )  # fmt: skip
            except ValueError as error:
                raise InputError(f"encoder: {error}") from None
        case PretrainedImageEntry() as entry:
            return make_pretrained(recipe, entry, bands, classes, normaliser, kept, revision)
        case LayerMixEntry() as entry:
            return make_layer_mix(recipe, entry, bands, classes)
        case PretrainedSpeechEntry() as entry:
            return make_adapted(recipe, entry, classes, revision)
    raise AssertionError(f"no net is made of {recipe.encoder.kind}")


@dataclass(frozen=True)
class Model:
    """A net ready for new items.

    Args:
        encoder: the net, in evaluation mode.
        classes: the names of its classes, which are the recipe's.
        recipe: what it was trained by.
        normalisers: the statistics that new items are given, by modality; of a single one by the name ``features``.
        parents: ``(sub-classes,)`` int64, the class of each sub-class that the net tells apart, where it was trained
            on sub-classes; None: it tells the classes themselves apart.
        cut: where its classes are levels of numbers, how these were cut and what each level stands for.
        digests: SHA-256 of the files below the recipe's ``data`` by which features were made in training, by their
            path; None: it was saved before they were kept.
        tested_as_new: whether each tested item was normalised as a new one is, which is of no group that training
            knows; None: it was saved before that was kept, or nothing was tested.
    """

    encoder: nn.Module
    classes: tuple[str, ...]
    recipe: Recipe
    normalisers: dict[str, Normaliser]
    parents: torch.Tensor | None = None
    cut: Cut | None = None
    digests: dict[str, str] | None = None
    tested_as_new: bool | None = None

    @property
    def normaliser(self) -> Normaliser:
        """The statistics that new items of a single modality are given."""
        (normaliser,) = self.normalisers.values()
        return normaliser

    @property
    def frontend(self) -> Frontend:
        """The front end that makes this net's features; only media can be embedded anew."""
        if self.recipe.modalities:
            raise InputError(
                f"this model reads several modalities ({', '.join(self.recipe.modalities)}), each by a front end of "
                "its own; ask make_frontend for that of each recipe in recipe.per_modality()"
            )
        frontend = make_frontend(self.recipe)
        if isinstance(frontend, VectorTable):
            raise InputError(
                "this model reads precomputed vectors, so it cannot embed recordings or pictures; train one on "
                "log_mel or functionals features, or on faces"
            )
        return frontend

    @property
    def medium(self) -> str:
        """What it reads: ``"audio"``, ``"image"``, ``"video"``, ``"text"``, or ``"several"`` modalities."""
        return "several" if self.recipe.modalities else medium(self.recipe)

    @property
    def device(self) -> torch.device:
        """Where its net runs."""
        return next((each.device for each in self.encoder.parameters()), torch.device("cpu"))

    def on(self, device: str | torch.device) -> "Model":
        """The same model, of a single modality, with its net on a device, such as ``"cuda"``.

        Raises:
            InputError: a device that this machine does not have.
        """
        try:
            return replace(self, encoder=self.encoder.to(device))
        except (RuntimeError, AssertionError) as error:
            raise InputError(f"the model cannot run on {device}: {str(error).splitlines()[0]}") from error

    def groups_of(self, items: pd.DataFrame) -> list[str] | None:
        """Whose statistics the items of a corpus are given (columns corpus, speaker); None where it does not matter."""
        from affectspace.training.normalised import normalised_groups  # loads protocols, which a loose file needs not

        scopes = {normaliser.scope for normaliser in self.normalisers.values()} & {"speaker", "corpus"}
        return normalised_groups(items, scopes.pop()) if len(scopes) == 1 else None

    @torch.inference_mode()
    def __call__(
        self,
        clips: Sequence[np.ndarray] | Mapping[str, Sequence[np.ndarray]],
        groups: Sequence[str | None] | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Features ``(frames, bands)`` of new items to embeddings ``(items, dimensions)`` and probabilities.

        Of several modalities ``clips`` are those of each by its name, of no frame where an item lacks it.

        ``groups`` are those of :meth:`groups_of`; an item without one, or of a group that training did not
        know, is given the statistics of all training items.
        """
        if isinstance(clips, Mapping):
            modalities = {name: self._modality(name, own, groups) for name, own in clips.items()}
            items = len(next(iter(clips.values())))
            batch = Batch(torch.empty(items, 0), torch.ones(items, dtype=torch.long), modalities=modalities)
            found = answers(self.encoder, batch, None, self.parents)
        else:
            batch = Batch(*pad(self._normal("features", clips, groups))).to(self.device)
            found = answers(self.encoder, batch, make_views(self.recipe), self.parents)
        return found[0].numpy(), found[1].numpy()

    def _normal(
        self, name: str, clips: Sequence[np.ndarray], groups: Sequence[str | None] | None
    ) -> list[torch.Tensor]:
        known = groups or [None] * len(clips)
        normaliser = self.normalisers[name]
        return [
            torch.from_numpy(normaliser.apply_new(clip, group) if len(clip) else np.array(clip, np.float32))
            for clip, group in zip(clips, known)
        ]

    def _modality(self, name: str, clips: Sequence[np.ndarray], groups: Sequence[str | None] | None) -> Modality:
        values, lengths = pad(self._normal(name, clips, groups))
        if isinstance(self.recipe.modalities[name].net, LinearNet):
            dimensions = next((clip.shape[1] for clip in clips), 0)
            values = values[:, 0] if values.shape[1] else values.new_zeros(len(clips), dimensions)
        return Modality(values, lengths)


def save_model(
    folder: Path, encoder: nn.Module, objective: "Objective", recipe: Recipe, data: "Data", test: dict[str, float],
    known: "Known | None" = None,
) -> None:  # fmt: skip
    """Write the folder of a model; its card says what it was trained on and how far to trust it.

    What its terms have learned, such as distances between classes, is written beside it, and so are the training items
    that it keeps.

    The paths of the machine it was trained on stay out of it; the network that found faces, if a file of yours did, is
    copied into it, as ``finder.onnx``, and of a pretrained model its settings, as ``pretrained``.

    Raises:
        InputError: that file has changed since training began.
    """
    names = tuple(CorpusEntry(path=corpus["name"]) for corpus in data.about["corpora"])
    own, digest = keep_finder(recipe, folder)
    if digest and make_frontend(recipe).fingerprint != data.about["features"]:
        raise InputError(
            f"{finder_file(recipe)} is not what it was when training began; restore it, and end the run by "
            "affectspace train --resume"
        )
    own = with_known_layers(keep_architecture(own, encoder, folder))
    public = own.model_copy(
        update={
            "data": ".",
            "corrections": bool(recipe.corrections),
            "corpora": names,
            "labels": _known_labels(recipe, data),
        }
    )
    config = {
        "format": FORMAT,
        "classes": list(data.measured.classes),
        "dimensions": data.dimensions,
        "recipe": public.model_dump(mode="json", exclude_none=True),
        "normaliser": {name: each.normaliser.to_dict() for name, each in data.inputs.items()}
        if data.several
        else data.normaliser.to_dict(),
    }
    if (parents := data.measured.parents) is not None:
        config["parents"] = parents.tolist()  # sub-class -> class
    if data.cut is not None:
        config["level_means"] = list(data.cut.means)
    if len(data.split.test):
        tested = data.split.test.tolist()
        config["tested_as_new"] = not any(each.normaliser.knows(row) for each in data.inputs.values() for row in tested)
    if digest:
        config["finder_sha256"] = digest
    if base := base_of(encoder):  # of which the state has the adapters alone
        config["base"] = base
    kept = {getattr(recipe.features, "finder", None): NAME} if digest else {}
    config["files_sha256"] = {kept.get(path, path): told for path, told in data.about["files_sha256"].items()}
    (folder / "config.json").write_text(json.dumps(config, indent=1, ensure_ascii=False), encoding="utf-8")
    for name, state in (("model", encoder.state_dict()), ("terms", objective.learned())):
        if held := {key: value.cpu().contiguous() for key, value in state.items()}:
            (folder / f"{name}.safetensors").write_bytes(save(held))
    if known is not None:
        known.save(folder)
    weighed = layer_figures(encoder, recipe)
    (folder / "README.md").write_text(model_card(recipe, data, test, known, weighed), encoding="utf-8")


def load_model(folder: str | Path) -> Model:
    """The model of a run folder, of a model folder itself, or of the hub by its name, ``hf:OWNER/NAME``.

    Raises:
        InputError: no model there, a newer format, a damaged file, another face finder than in training, or adapters
            of a speech model that is gone or has changed.
    """
    folder = model_folder(folder)
    folder = folder / "model" if (folder / "model").is_dir() else folder
    if (folder / "fold-00").is_dir():
        raise InputError(f"{folder} holds one model a fold; name one of them, such as {folder / 'fold-00'}")
    if not (folder / "config.json").is_file():
        raise InputError(
            f"there is no model in {folder}; give a finished run's folder (affectspace train --resume ends one), "
            "or hf:OWNER/NAME of one on the hub"
        )
    try:
        config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if config["format"] != FORMAT:
            raise InputError(
                f"{folder} is of model format {config['format']}, and this affectspace reads {FORMAT}; upgrade it"
            )
        recipe = make_recipe(config["recipe"], str(folder / "config.json"))
        recipe = with_kept_finder(with_data_of_run(recipe, folder), folder, config.get("finder_sha256"))
        parents = torch.tensor(config["parents"]) if "parents" in config else None
        told = config["normaliser"] if recipe.modalities else {"features": config["normaliser"]}
        normalisers = {name: Normaliser.from_dict(content) for name, content in told.items()}
        normaliser = normalisers.get("features")
        classes = len(config["classes"] if parents is None else parents)
        base = config.get("base") or {}
        refuse_other_base(recipe, base)
        revision = base.get("revision")
        encoder = make_encoder(recipe, config["dimensions"], classes, normaliser, kept=folder, revision=revision)
        encoder.load_state_dict(load_file(folder / "model.safetensors"))
        cut = None
        if isinstance(recipe.labels, LevelLabels) and recipe.labels.thresholds and "level_means" in config:
            cut = Cut(recipe.labels.thresholds, tuple(float(mean) for mean in config["level_means"]))
        digests = dict(config["files_sha256"]) if "files_sha256" in config else None
        as_new = bool(config["tested_as_new"]) if "tested_as_new" in config else None
    except InputError:
        raise
    except (KeyError, RuntimeError, ValueError, TypeError, AttributeError, OSError, SafetensorError) as error:
        raise InputError(f"the model in {folder} is damaged: {error}") from error
    return Model(encoder.eval(), tuple(config["classes"]), recipe, normalisers, parents, cut, digests, as_new)


def _known_labels(recipe: Recipe, data: "Data") -> Labels:
    """The recipe's labels with the thresholds that training has learned, so that other items get the same levels."""
    labels = recipe.labels
    if isinstance(labels, LevelLabels) and labels.bins and data.cut is not None:
        return labels.model_copy(update={"bins": None, "names": data.classes, "thresholds": data.cut.thresholds})
    return labels
