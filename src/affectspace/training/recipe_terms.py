"""What a recipe says of its terms: which losses, of what, and how much each weighs."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from affectspace.training.schema import Section

__all__ = [
    "AdversaryEntry",
    "ConsistencyEntry",
    "ContrastivePairsEntry",
    "CrossEntropyEntry",
    "EntropicEMDEntry",
    "FSimilarityEntry",
    "GaussianManifoldEntry",
    "GroupColumn",
    "GuidedEMDEntry",
    "HSICEntry",
    "LevelRegressionEntry",
    "LinearAdversaryEntry",
    "MMDEntry",
    "MatchingEntry",
    "OrderedEMDEntry",
    "PseudoLabelsEntry",
    "ReconstructionEntry",
    "SupervisedContrastiveEntry",
    "Term",
    "TripletEntry",
]

GroupColumn = Literal["corpus", "language", "speaker"]
Similarity = Literal["same_class", "agreement", "chord", "angle", "fisher_rao"]
Distances = tuple[tuple[Annotated[float, Field(ge=0)], ...], ...]


class TermEntry(Section):
    """What every term has: which loss it is, its share of the sum that is minimised, and which labels it is shown.

    ``targets`` "majority" shows it the class with most votes in place of the votes; equal leaders share it.
    """

    kind: str
    weight: float = Field(default=1.0, gt=0)
    targets: Literal["votes", "majority"] = "votes"


class CrossEntropyEntry(TermEntry):
    """The classification baseline, for hard and soft labels."""

    kind: Literal["cross_entropy"]
    class_weights: bool = True


class FSimilarityEntry(TermEntry):
    """Embeddings as alike as their labels, for soft labels."""

    kind: Literal["f_similarity"]
    weight: float = Field(default=10.0, gt=0)
    f: Literal["kl", "reverse_kl", "pearson", "squared_hellinger", "jensen_shannon"] = "kl"
    geometry: Literal["chord", "angle", "fisher_rao"] = "chord"
    pairs: Literal["triplets", "batch"] = "triplets"

    @model_validator(mode="after")
    def _draws_by_what_it_is_shown(self) -> Self:
        if self.targets == "majority" and self.pairs == "triplets":
            raise ValueError(
                'targets is "majority", and triplets are drawn by the votes; give pairs = "batch", or leave targets out'
            )
        return self


class GaussianManifoldEntry(TermEntry):
    """Each class a Gaussian around the mean of its items in the batch."""

    kind: Literal["gaussian_manifold"]
    sigma: float = Field(default=0.5, gt=0)
    norm_weight: float = Field(default=1e-4, ge=0)
    means: Literal["batch", "leave_one_out"] = "batch"
    prior: Literal["uniform", "batch"] = "uniform"


class OrderedEMDEntry(TermEntry):
    """Squared earth mover's distance of the prediction from the label, for ordered classes."""

    kind: Literal["ordered_emd"]
    order: float = Field(default=2.0, ge=1)
    over_classes: Literal["sum", "mean"] = "sum"


class LevelRegressionEntry(TermEntry):
    """Squared error of the level, for ordered classes; the most likely class is the regressed level, rounded."""

    kind: Literal["level_regression"]


class GuidedEMDEntry(TermEntry):
    """Cross-entropy and a penalty on probability far from the true class, where how far is learned.

    The cross-entropy is part of it, so that no other is needed. ``ground_distance`` gives the distances
    instead of learning them.
    """

    kind: Literal["guided_emd"]
    variant: Literal["xemd1", "xemd2"] = "xemd1"
    form: Literal["paper", "released"] = "paper"
    warm_up: int = Field(default=4, ge=1)
    ratio: float = Field(default=3.5, gt=0)
    layer: str = "fc2"
    tolerance: float | None = Field(default=None, ge=0)
    ground_distance: Distances | None = None


class EntropicEMDEntry(TermEntry):
    """Entropic earth mover's distance of the prediction from the label, under any ground distance.

    None is given: steps between ordered classes, 1 between any two others.
    """

    kind: Literal["entropic_emd"]
    regulariser: float = Field(default=0.1, gt=0)
    ground_distance: Distances | None = None


class MemoryEntry(TermEntry):
    """Terms that compare items with each other, and, where ``memory`` is above 0, with so many earlier ones too."""

    memory: int = Field(default=0, ge=0)


class SupervisedContrastiveEntry(MemoryEntry):
    """Alike items together, all others apart; ``across_groups`` weighs alike items of another language, say, more."""

    kind: Literal["supervised_contrastive"]
    temperature: float = Field(default=0.1, gt=0)
    similarity: Similarity = "same_class"
    groups: GroupColumn | None = None
    across_groups: float = Field(default=1.0, ge=0)

    @model_validator(mode="after")
    def _has_groups_to_weigh(self) -> Self:
        if (self.across_groups != 1) != (self.groups is not None):
            raise ValueError(
                f"across_groups is {self.across_groups:g} and groups is {self.groups or 'not given'}; give both, such "
                'as groups = "language" with across_groups = 2, or neither'
            )
        if self.memory and self.groups is not None:
            raise ValueError("memory keeps no groups of earlier items; leave memory out, or groups and across_groups")
        return self


class TripletEntry(MemoryEntry):
    """An item nearer to its own class than to others, by a margin."""

    kind: Literal["triplet"]
    margin: float = Field(default=0.2, ge=0)
    form: Literal["hinge", "soft_margin"] = "hinge"
    triplets: Literal["all", "semi_hard", "hard"] = "all"
    average: Literal["all", "active"] = "all"


class ContrastivePairsEntry(MemoryEntry):
    """Alike pairs together, other pairs at least a margin apart."""

    kind: Literal["contrastive_pairs"]
    margin: float = Field(default=1.0, gt=0)
    similarity: Similarity = "same_class"


class MMDEntry(TermEntry):
    """Items of every corpus or language in one distribution: the maximum mean discrepancy between each two."""

    kind: Literal["mmd"]
    groups: Literal["corpus", "language"] = "corpus"
    kernels: int = Field(default=5, ge=1)


class HSICEntry(TermEntry):
    """An embedding that does not tell the corpus, language or speaker: their dependence, to be made small."""

    kind: Literal["hsic"]
    groups: GroupColumn = "speaker"


class MatchingEntry(TermEntry):
    """Layers of a net, such as those of modalities, brought to match item by item: the first with each of the others.

    Of unlabelled items the class that the net predicts counts as theirs.
    """

    kind: Literal["matching"]
    between: tuple[str, ...] = Field(default=("embedding", "fc2"), min_length=2)
    form: Literal["class_conditional", "as_printed", "hsic"] = "class_conditional"

    @model_validator(mode="after")
    def _matches_others(self) -> Self:
        for name in self.between:
            if self.between.count(name) > 1:
                raise ValueError(f"between names {name!r} twice; a layer matches itself, so give others")
        return self


class ReconstructionEntry(TermEntry):
    """Each modality made again from its latent: the mean squared error, summed over modalities; sequences reversed."""

    kind: Literal["reconstruction"]


class PseudoLabelsEntry(TermEntry):
    """Unlabelled items that the net is sure of are taught what it says of them; ``threshold`` is how sure."""

    kind: Literal["pseudo_labels"]
    threshold: float = Field(default=0.95, ge=0, lt=1)


class ConsistencyEntry(TermEntry):
    """Unlabelled items looked at twice, under other dropout and ``noise``, are to be told alike.

    ``noise`` is the standard deviation of what is added to the normalised features.
    """

    kind: Literal["consistency"]
    noise: float = Field(default=0.1, ge=0)


class AdversaryEntry(TermEntry):
    """A classifier of speakers, say, from which the embedding learns to hide them; it grows over training."""

    kind: Literal["adversary"]
    groups: GroupColumn = "speaker"
    hidden: int = Field(default=128, ge=1)
    steepness: float = Field(default=10.0, gt=0)


class LinearAdversaryEntry(TermEntry):
    """How well the best linear classifier tells speakers, say, from the embedding, which learns to hide them.

    What the class tells of them is no part of it.

    ``memory``: over how many items the weight of earlier ones falls to 1/e.
    """

    kind: Literal["linear_adversary"]
    groups: GroupColumn = "speaker"
    memory: int = Field(default=1024, ge=0)


Term = Annotated[
    CrossEntropyEntry
    | FSimilarityEntry
    | GaussianManifoldEntry
    | OrderedEMDEntry
    | LevelRegressionEntry
    | GuidedEMDEntry
    | EntropicEMDEntry
    | SupervisedContrastiveEntry
    | TripletEntry
    | ContrastivePairsEntry
    | MMDEntry
    | HSICEntry
    | MatchingEntry
    | ReconstructionEntry
    | PseudoLabelsEntry
    | ConsistencyEntry
    | AdversaryEntry
    | LinearAdversaryEntry,
    Field(discriminator="kind"),
]
