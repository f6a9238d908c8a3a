"""The full description of a run, checked, with defaults filled in."""

import re
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from affectspace.errors import InputError
from affectspace.training.dotted import dotted, first_difference
from affectspace.training.recipe_data import Augment, CorpusEntry, Labels, Views, class_count
from affectspace.training.recipe_encoder import (
    ConvPoolEncoder,
    Encoder,
    ImageEncoderEntry,
    MLPEncoder,
    PretrainedImageEntry,
    SpeechEncoder,
)
from affectspace.training.recipe_features import (
    FaceFeatures,
    Features,
    FunctionalsFeatures,
    LogMelFeatures,
    RelativeFunctionalsFeatures,
    VectorFeatures,
)
from affectspace.training.recipe_layers import layer_sizes, refuse_empty_convolutions, refuse_unknown_layers
from affectspace.training.recipe_modalities import Modalities, MultimodalEncoderEntry, Unlabelled
from affectspace.training.recipe_protocol import Protocol
from affectspace.training.recipe_speech import refuse_unread_speech
from affectspace.training.recipe_terms import (
    ConsistencyEntry,
    CrossEntropyEntry,
    FSimilarityEntry,
    GuidedEMDEntry,
    MatchingEntry,
    PseudoLabelsEntry,
    ReconstructionEntry,
    Term,
)
from affectspace.training.recipe_training import Monitor, Training
from affectspace.training.schema import Section, kind_of, sentences

__all__ = ["Recipe", "make_recipe"]


def _names_a_folder(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*", name):
        raise ValueError(
            f"{name!r} cannot name a folder everywhere; begin with a letter a-z or a digit, and go on with these and "
            "any of . _ + -"
        )
    return name


class Recipe(Section):
    """Everything that a run depends on besides the data themselves.

    Example:
        >>> recipe = make_recipe({
        ...     "name": "baseline",
        ...     "corpora": [{"path": "emodb"}],
        ...     "labels": {"kind": "classes", "names": ["angry", "sad"]},
        ...     "protocol": {"kind": "leave_one_out", "by": "speaker", "allow": ["script"]},
        ... })
        >>> recipe.training.learning_rate
        0.0001
    """

    name: Annotated[str, AfterValidator(_names_a_folder)]
    seed: int = Field(default=0, ge=0, lt=2**63)
    data: str = "."
    corrections: bool | str = False
    corpora: tuple[CorpusEntry, ...] = Field(min_length=1)
    labels: Labels
    # None beside modalities alone: else _name_kinds gives a kind
    features: Features = Field(default=None)  # pyright: ignore[reportAssignmentType]
    modalities: Modalities = Field(default_factory=dict)
    unlabelled: Unlabelled | None = None
    augment: Augment = Augment()
    views: Views = Views()
    protocol: Protocol
    encoder: Encoder = ConvPoolEncoder()
    terms: tuple[Term, ...] = Field(default=(CrossEntropyEntry(kind="cross_entropy"),), min_length=1)
    training: Training = Training()
    monitor: Monitor = Monitor()

    def settled(self) -> "Recipe":
        """The same recipe with all paths absolute, so that it means the same from any folder."""
        own = self.corrections if isinstance(self.corrections, bool) else str(Path(self.corrections).resolve())
        return self.model_copy(update={"data": str(Path(self.data).resolve()), "corrections": own})

    def same_as(self, other: "Recipe") -> bool:
        """Whether both train the same; where the data lie is no part of that, as what they hold is compared itself."""
        first, second = (
            each.model_copy(update={"data": "", "corrections": bool(each.corrections)}) for each in (self, other)
        )
        return first == second

    def difference(self, other: "Recipe") -> str:
        """The first key by which another trains otherwise than this one, which was before it."""
        told = [recipe.model_dump(mode="json", exclude_none=True) for recipe in (self, other)]
        return first_difference(*({**dotted(values), "data": ""} for values in told))

    @model_validator(mode="before")
    @classmethod
    def _name_kinds(cls, values: Any) -> Any:
        """A section of which only a detail is changed keeps its default kind."""
        if not isinstance(values, dict):
            return values
        if values.get("modalities"):
            if "features" in values:
                raise ValueError(
                    "features are those of a single modality, and there are modalities; give each its own, as "
                    "[modalities.NAME.features], and leave [features] out"
                )
            # before its keys are read, which would be told as those of a net that has no place here
            if (kind := kind_of(values.get("encoder"))) not in (None, "multimodal"):
                raise ValueError(
                    f"encoder.kind is {kind!r}, and there are modalities; recipes of several have encoder.kind = "
                    '"multimodal", which is the default beside them'
                )
            kinds = {"encoder": "multimodal"}
        else:
            kinds = {"features": "log_mel", "encoder": "conv_pool"}
        given = {key: values.get(key, {}) for key in kinds}
        named = {key: {"kind": kinds[key], **section} for key, section in given.items() if isinstance(section, dict)}
        return {**values, **named}

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        self._uses_what_has_no_label()
        if self.modalities or isinstance(self.encoder, MultimodalEncoderEntry):
            self._reads_modalities()
        else:
            if any(isinstance(term, ReconstructionEntry) for term in self.terms):
                raise ValueError(
                    "the term reconstruction makes modalities again, and there are none; give [modalities], or leave "
                    "the term out"
                )
            self._reads_pictures()
            self._reads_energies()
            refuse_unread_speech(self.features, self.encoder)
            if isinstance(self.features, FunctionalsFeatures | RelativeFunctionalsFeatures | VectorFeatures):
                self._reads_vectors(self.features)
            elif isinstance(self.features, LogMelFeatures) and self.augment.on:
                self._can_augment(self.features)
            elif self.augment.on and not isinstance(self.features, FaceFeatures):
                raise ValueError(
                    f"augment changes sound before log-Mel energies are made of it, and features.kind is "
                    f"{self.features.kind!r}; leave [augment] out"
                )
            self._is_non_negative_for_similarity()
        refuse_empty_convolutions(self.modalities)
        refuse_unknown_layers(self.terms, layer_sizes(self.encoder, self.modalities))
        self._draws_batches_one_way()
        for term in self.terms:
            self._knows_its_classes(term)
            if isinstance(term, GuidedEMDEntry):
                self._lasts_beyond_its_warm_up(term)
        if self.training.selection == "validation" and not self.protocol.validates:
            raise ValueError(
                'training.selection is "validation", and the protocol validates on nothing; let it validate, or give '
                'training.selection = "last" or the number of an epoch'
            )
        return self

    def _reads_modalities(self) -> None:
        if not self.modalities:
            raise ValueError('encoder.kind "multimodal" reads modalities; give two or more, as [modalities.NAME]')
        if self.augment.on or self.views.on:
            section = "augment" if self.augment.on else "views"
            raise ValueError(f"{section} changes items of one modality alone; leave [{section}] out beside modalities")
        scopes = {entry.features.normalise.scope for entry in self.modalities.values()} & {"speaker", "corpus"}
        if len(scopes) > 1:
            raise ValueError(
                "modalities are normalised by speaker and by corpus, and new items are known by one of the two; give "
                'all of them the same normalise.scope, or "train"'
            )
        if any(isinstance(term, FSimilarityEntry) for term in self.terms):
            raise ValueError(
                "f_similarity compares embeddings of entries of 0 or more, and latents of modalities lie on both sides "
                "of it; leave the term out"
            )

    def _uses_what_has_no_label(self) -> None:
        of_unlabelled = [term.kind for term in self.terms if isinstance(term, PseudoLabelsEntry | ConsistencyEntry)]
        if self.unlabelled is None:
            if of_unlabelled:
                raise ValueError(f"{of_unlabelled[0]} learns of unlabelled items alone; add a section [unlabelled]")
            return
        if not self.unlabelled.weight:
            if not self.used_terms:
                raise ValueError(
                    f"unlabelled.weight is 0, and {' and '.join(dict.fromkeys(of_unlabelled))} learn of unlabelled "
                    "items alone, so that nothing is learned; add a term of labelled items, such as cross_entropy"
                )
            return
        taught = (ReconstructionEntry, MatchingEntry, PseudoLabelsEntry, ConsistencyEntry)
        if not any(isinstance(term, taught) for term in self.terms):
            raise ValueError(
                "unlabelled items are given, and no term learns of them; add one of reconstruction, matching, "
                "pseudo_labels and consistency, or leave [unlabelled] out"
            )
        if sum(isinstance(term, ConsistencyEntry) for term in self.terms) > 1:
            raise ValueError("two consistency terms would need two pairs of views, and a batch has one; keep one term")
        if any(getattr(term, "pairs", "") == "triplets" for term in self.terms):
            raise ValueError(
                'unlabelled items cannot stand beside triplets; give the f_similarity term pairs = "batch", or leave '
                "[unlabelled] out"
            )
        balance = self.unlabelled.balance
        if balance is not None and balance.after >= self.training.epochs:
            raise ValueError(
                f"unlabelled.balance.after is {balance.after} and training.epochs {self.training.epochs}, so that no "
                "epoch is left to draw anew; train for more epochs, or balance after fewer"
            )

    @property
    def semi_supervised(self) -> Unlabelled | None:
        """What is said of items without a label, where they train; None too where their weight is 0."""
        return self.unlabelled if self.unlabelled and self.unlabelled.weight else None

    @property
    def used_terms(self) -> tuple[Term, ...]:
        """The terms that have a part in the training: all but those of unlabelled items alone, where none train."""
        if self.semi_supervised:
            return self.terms
        return tuple(term for term in self.terms if not isinstance(term, PseudoLabelsEntry | ConsistencyEntry))

    def per_modality(self) -> "dict[str, Recipe]":
        """A recipe for each modality by its name, as if there were no other; of a single one that of ``features``."""
        if not self.modalities:
            return {"features": self}
        return {
            name: self.model_copy(update={"features": entry.features, "modalities": {}})
            for name, entry in self.modalities.items()
        }

    def _draws_batches_one_way(self) -> None:
        ways = {
            "training.length_pool sorts batches by length": self.training.length_pool > 1,
            "training.items_per_class draws them by class": self.training.items_per_class is not None,
            'the f_similarity term with pairs = "triplets" draws them by label': any(
                getattr(term, "pairs", "") == "triplets" for term in self.terms
            ),
        }
        if len(asked := [way for way, wanted in ways.items() if wanted]) > 1:
            raise ValueError(f"{' and '.join(asked)}; a run draws its batches in one way, so keep one of them")

    def _reads_pictures(self) -> None:
        features, views = self.features, self.views
        if not isinstance(features, FaceFeatures):
            if isinstance(self.encoder, ImageEncoderEntry | PretrainedImageEntry):
                raise ValueError(
                    f'encoder.kind "{self.encoder.kind}" reads pictures, and features.kind {features.kind!r} gives '
                    'none; use features.kind = "faces", or another encoder'
                )
            if views.told:
                raise ValueError(
                    f"views are of pictures, and features.kind {features.kind!r} gives none; leave [views] out"
                )
            return
        if not isinstance(self.encoder, ImageEncoderEntry | PretrainedImageEntry):
            raise ValueError(
                f'encoder.kind {self.encoder.kind!r} cannot read pictures; features.kind = "faces" needs '
                'encoder.kind = "image" or "pretrained_image"'
            )
        scope = features.normalise.scope
        if isinstance(self.encoder, PretrainedImageEntry) and scope not in ("train", "none"):
            raise ValueError(
                f"features.normalise.scope {scope!r} takes from each picture what cannot be put back, and a pretrained "
                'model has a normalisation of its own; legal with it: "train", "none"'
            )
        if self.augment.on:
            raise ValueError("augment changes sound, and pictures have none; use [views] instead")
        if views.crop is not None and views.crop > features.side:
            raise ValueError(
                f"views.crop is {views.crop} and features.side {features.side}; legal: 8 to {features.side}"
            )

    def _reads_energies(self) -> None:
        if not isinstance(self.encoder, SpeechEncoder):
            return
        if not isinstance(self.features, LogMelFeatures):
            raise ValueError(
                f'encoder.kind "speech" reads log-Mel energies, and features.kind {self.features.kind!r} gives others; '
                'use features.kind = "log_mel", or another encoder'
            )

    def _is_non_negative_for_similarity(self) -> None:
        if not getattr(self.encoder, "non_negative", True) and any(
            isinstance(term, FSimilarityEntry) for term in self.terms
        ):
            raise ValueError(
                "f_similarity compares embeddings of entries of 0 or more; set encoder.non_negative = true"
            )

    def _lasts_beyond_its_warm_up(self, term: GuidedEMDEntry) -> None:
        if term.warm_up >= self.training.epochs:
            raise ValueError(
                f"guided_emd.warm_up is {term.warm_up} and training.epochs {self.training.epochs}, so that it never "
                "would be more than cross-entropy; train for more epochs, or warm up for fewer"
            )

    def _knows_its_classes(self, term: Term) -> None:
        count = class_count(self.labels)
        if term.kind in ("ordered_emd", "level_regression") and not self.labels.ordered:
            raise ValueError(
                f'{term.kind} needs classes that have an order, and those of labels.kind = "classes" have none; use '
                'labels.kind = "levels" or "poles", or the term guided_emd, which learns how near classes are'
            )
        distances = getattr(term, "ground_distance", None)
        if distances is not None and [len(row) for row in distances] != [count] * count:
            given = ", ".join(str(len(row)) for row in distances) or "nothing"
            raise ValueError(
                f"{term.kind}.ground_distance has rows of {given}; {count} classes need {count} rows of {count} numbers"
            )
        if distances is not None and (any(distances[i][i] for i in range(count)) or not any(map(any, distances))):
            raise ValueError(
                f"{term.kind}.ground_distance must be 0 from each class to itself, and above 0 to some other"
            )

    def _reads_vectors(self, features: FunctionalsFeatures | RelativeFunctionalsFeatures | VectorFeatures) -> None:
        if not isinstance(self.encoder, MLPEncoder):
            raise ValueError(
                f'encoder.kind {self.encoder.kind!r} reads sequences; {features.kind} need encoder.kind = "mlp"'
            )
        if features.normalise.scope == "item":
            raise ValueError(
                f'features.normalise.scope "item" would make zeros of {features.kind}, which are one frame an item; '
                'use scope = "train"'
            )
        if self.augment.on:
            raise ValueError(
                f"augment changes samples and frames, and {features.kind} have none to change; use features.kind = "
                '"log_mel", or leave [augment] out'
            )

    def _can_augment(self, features: LogMelFeatures) -> None:
        augment = self.augment
        if augment.level is not None and features.level is not None:
            raise ValueError(
                f"augment.level changes a level that features.level sets to {features.level:g} dB again; leave one out"
            )
        if augment.masks and features.normalise.scope == "none":
            raise ValueError(
                'augment masks set features to their mean, and features.normalise.scope "none" leaves none to set them '
                'to; use scope = "train", or no masks'
            )
        if augment.band_masks * (augment.band_width or 0) >= features.bands:
            raise ValueError(
                f"augment.band_masks {augment.band_masks} of up to {augment.band_width} bands could cover all "
                f"{features.bands}; lower band_masks or band_width"
            )


def make_recipe(values: dict[str, Any], source: str = "the recipe") -> Recipe:
    """A checked recipe.

    Raises:
        InputError: every fault, each with its key, what is wrong and what is legal.

    Example:
        >>> make_recipe({"nmae": "x"}, "my.toml")
        Traceback (most recent call last):
        ...
        affectspace.errors.InputError: my.toml: unknown key 'nmae'; did you mean 'name'? ...
    """
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise InputError("\n".join(f"{source}: {told}" for told in sentences(error, values))) from None
