"""The terms of a recipe, weighed and added up."""

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from affectspace.encoders import Batch, Outputs
from affectspace.errors import InputError
from affectspace.labels import Classes, Levels, ground_distance
from affectspace.losses import (
    AdversaryLoss,
    ConsistencyLoss,
    ContrastivePairsLoss,
    CrossModalMatchingLoss,
    DegenerateBatchWarning,
    EntropicEMDLoss,
    GaussianManifoldLoss,
    GuidedEMDLoss,
    HSICLoss,
    InBatchFSimilarityLoss,
    LeftOutWarning,
    LevelRegressionLoss,
    LinearAdversaryLoss,
    MemoryBank,
    MMDLoss,
    OrderedEMDLoss,
    PseudoLabelLoss,
    SoftCrossEntropyLoss,
    SupervisedContrastiveLoss,
    TripletFSimilarityLoss,
    TripletLoss,
    balanced_class_weights,
    ramp_up,
)
from affectspace.training.data import Data
from affectspace.training.modality_terms import ConsistencyTerm, MatchingTerm, PseudoLabelsTerm, ReconstructionTerm
from affectspace.training.recipe import Recipe
from affectspace.training.recipe_terms import (
    AdversaryEntry,
    ConsistencyEntry,
    ContrastivePairsEntry,
    CrossEntropyEntry,
    EntropicEMDEntry,
    FSimilarityEntry,
    GaussianManifoldEntry,
    GuidedEMDEntry,
    HSICEntry,
    LevelRegressionEntry,
    LinearAdversaryEntry,
    MatchingEntry,
    MMDEntry,
    OrderedEMDEntry,
    PseudoLabelsEntry,
    ReconstructionEntry,
    SupervisedContrastiveEntry,
    TermEntry,
    TripletEntry,
)
from affectspace.training.terms import (
    AcrossGroupsTerm,
    AdversaryTerm,
    ContrastiveTerm,
    EmbeddingTerm,
    GuidedEMDTerm,
    IndependenceTerm,
    LogitsTerm,
    MajorityTerm,
    Term,
    TripletTerm,
    majority,
)

__all__ = ["Objective", "make_objective", "reported_geometry", "triplet_geometry"]


class Objective(nn.Module):
    """The weighted sum of named terms.

    Returns of ``forward``: the scalar to minimise; every term's own unweighted value, detached; and, of
    terms that could not learn from all of the batch, whether it taught them nothing (``batches``, 1) and
    how many of its items they left out (``items``). Other warnings of a term are told once.

    Unlabelled items of a batch are shown to those terms that learn of such, and what these say of them weighs
    ``unlabelled_weight`` times what it would of labelled ones; it is told by names that begin with ``unlabelled.``.

    Args:
        names: of the terms.
        terms: whose values are added up.
        weights: of each.
        unlabelled_weight: of unlabelled items, 0 or more.
        ramp: over which share of the training that weight grows from 0, see :func:`affectspace.losses.ramp_up`.
    """

    def __init__(
        self,
        names: Sequence[str],
        terms: Sequence[Term],
        weights: Sequence[float],
        unlabelled_weight: float = 1.0,
        ramp: float = 0.0,
    ):
        super().__init__()
        self.terms = nn.ModuleDict(dict(zip(names, terms)))
        self.weights = list(weights)
        self.unlabelled_weight = unlabelled_weight
        self.ramp = ramp
        self.shown: dict[Any, Any] = {}

    def forward(self, outputs: Outputs, batch: Batch) -> tuple[Tensor, dict[str, Tensor], dict[str, dict[str, int]]]:
        values: dict[str, Tensor] = {}
        nothing: dict[str, dict[str, int]] = {}
        total = torch.zeros(())
        for prefix, weight, seen, items in self._halves(outputs, batch):
            for (name, term), own in zip(self.terms.items(), self.weights):
                assert isinstance(term, Term)
                if term.learns_of not in ("both", "unlabelled" if prefix else "labelled"):
                    continue
                with warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always")
                    values[prefix + name] = value = term(seen, items)
                total = total + weight * own * value
                if counts := self._counts(caught):
                    nothing[prefix + name] = counts
        return total, {name: value.detach() for name, value in values.items()}, nothing

    def _halves(self, outputs: Outputs, batch: Batch) -> list[tuple[str, float, Outputs, Batch]]:
        """What begins the names of terms, the weight, and what they are shown: labelled items, and unlabelled ones."""
        if not batch.unlabelled:
            return [("", 1.0, outputs, batch)]
        items = len(batch.lengths)
        border = items - batch.unlabelled
        seen, others = outputs.rows(border, items), batch.rows(border, items)
        others.targets = seen.logits.detach().float().softmax(-1)
        weight = self.unlabelled_weight * ramp_up(batch.progress, self.ramp)
        return [("", 1.0, outputs.rows(0, border), batch.rows(0, border)), ("unlabelled.", weight, seen, others)]

    def _counts(self, caught: Sequence[warnings.WarningMessage]) -> dict[str, int]:
        counts: Counter[str] = Counter()
        for warning in caught:
            if issubclass(warning.category, DegenerateBatchWarning):
                counts["batches"] = 1
            elif isinstance(warning.message, LeftOutWarning):
                counts["items"] += warning.message.count
            else:
                warnings.warn_explicit(
                    warning.message, warning.category, warning.filename, warning.lineno, registry=self.shown
                )
        return dict(counts)

    def learned(self) -> dict[str, Tensor]:
        """What the terms have learned, without embeddings of training items, or speakers' means, that they remember."""
        remembers = MemoryBank | LinearAdversaryLoss
        memories = [name + "." for name, module in self.named_modules() if isinstance(module, remembers)]
        return {k: v for k, v in self.state_dict().items() if not k.startswith(tuple(memories))}

    def epoch_end(self) -> dict[str, float]:
        """Let every term end its epoch; what they have to tell, by term and figure."""
        told: dict[str, float] = {}
        for name, term in self.terms.items():
            assert isinstance(term, Term)
            told |= {f"{name}.{figure}": value for figure, value in term.epoch_end().items()}
        return told

    def learned_figures(self, ordered: bool) -> dict[str, float]:
        """Figures of what the terms have learned, by term and figure; ``ordered``: whether the classes are."""
        told: dict[str, float] = {}
        for name, term in self.terms.items():
            assert isinstance(term, Term)
            told |= {f"{name}.{figure}": value for figure, value in term.learned_figures(ordered).items()}
        return told


def make_objective(
    recipe: Recipe, data: Data, sizes: Mapping[str, int], nets: Mapping[str, Any] | None = None
) -> Objective:
    """The recipe's terms, for the training items of ``data`` and a net whose layers have these ``sizes``.

    Layers that the terms read are among these, as the recipe proves. ``nets`` are the autoencoders of a net of
    several modalities.

    Two terms of one kind are told apart by a number: ``f_similarity``, ``f_similarity_2``.

    Raises:
        InputError: layers to match that differ in size, groups that the training items do not have, or settings that a
            loss refuses.
    """
    names: list[str] = []
    terms: list[Term] = []
    seen: Counter[str] = Counter()
    for entry in recipe.used_terms:
        seen[entry.kind] += 1
        names.append(entry.kind if seen[entry.kind] == 1 else f"{entry.kind}_{seen[entry.kind]}")
        try:
            term = _make_term(entry, recipe, data, sizes, nets or {})
            terms.append(MajorityTerm(term) if entry.targets == "majority" else term)
        except InputError:
            raise
        except ValueError as error:  # what a loss says of its own arguments
            raise InputError(f"the term {names[-1]}: {error}") from None
    weights = [entry.weight for entry in recipe.used_terms]
    if (taught := recipe.semi_supervised) is None:
        return Objective(names, terms, weights)
    return Objective(names, terms, weights, taught.weight, taught.ramp)


def _make_term(entry: TermEntry, recipe: Recipe, data: Data, sizes: Mapping[str, int], nets: Mapping[str, Any]) -> Term:
    classes, width = len(data.classes), sizes["embedding"]

    def memory(size: int) -> MemoryBank | None:
        if size >= (items := len(data.split.train)):
            raise InputError(
                f"the term {entry.kind}: memory is {size} and {items} items train, so that they would meet their own "
                f"copies; legal: 0 to {items - 1}"
            )
        return MemoryBank(size, width, classes) if size else None

    match entry:
        case CrossEntropyEntry() as e:
            targets = data.targets[torch.tensor(data.split.train)]
            targets = majority(targets) if e.targets == "majority" else targets
            return LogitsTerm(SoftCrossEntropyLoss(balanced_class_weights(targets) if e.class_weights else None))
        case FSimilarityEntry(pairs="triplets") as e:
            return TripletTerm(TripletFSimilarityLoss(e.f, e.geometry))
        case FSimilarityEntry() as e:
            return EmbeddingTerm(InBatchFSimilarityLoss(e.f, e.geometry))
        case GaussianManifoldEntry() as e:
            prior = None if e.prior == "uniform" else e.prior
            return EmbeddingTerm(GaussianManifoldLoss(e.sigma, e.norm_weight, e.means, prior))
        case OrderedEMDEntry() as e:
            return LogitsTerm(OrderedEMDLoss(e.order, e.over_classes))
        case LevelRegressionEntry():
            return LogitsTerm(LevelRegressionLoss())
        case EntropicEMDEntry() as e:
            given = e.ground_distance or _ground_distance(recipe, data)
            return LogitsTerm(EntropicEMDLoss(torch.tensor(given), e.regulariser))
        case GuidedEMDEntry() as e:
            features = sizes[e.layer]
            given = None if e.ground_distance is None else torch.tensor(e.ground_distance)
            loss = GuidedEMDLoss(
                classes,
                features,
                e.variant,
                warm_up=e.warm_up,
                ratio=e.ratio,
                ground_distance=given,
                form=e.form,
                tolerance=e.tolerance,
            )
            return GuidedEMDTerm(loss, e.layer)
        case SupervisedContrastiveEntry() as e:
            loss = SupervisedContrastiveLoss(e.temperature, e.similarity)
            if e.groups is None:
                return EmbeddingTerm(loss, memory(e.memory))
            _count(e.kind, e.groups, data)
            return ContrastiveTerm(loss, e.groups, e.across_groups)
        case TripletEntry() as e:
            return EmbeddingTerm(TripletLoss(e.margin, e.form, e.triplets, e.average), memory(e.memory))
        case ContrastivePairsEntry() as e:
            return EmbeddingTerm(ContrastivePairsLoss(e.margin, similarity=e.similarity), memory(e.memory))
        case MMDEntry() as e:
            _count(e.kind, e.groups, data)
            return AcrossGroupsTerm(MMDLoss(kernels=e.kernels), e.groups)
        case HSICEntry() as e:
            _count(e.kind, e.groups, data)
            return IndependenceTerm(HSICLoss("labels"), e.groups)
        case MatchingEntry() as e:
            first, *others = ((name, sizes[name]) for name in e.between)
            for other in others:
                if first[1] != other[1] and e.form != "hsic":
                    raise InputError(
                        f"matching.between: {first[0]} has {first[1]} dimensions and {other[0]} {other[1]}; the form "
                        f'{e.form!r} needs as many of both, form = "hsic" does not'
                    )
            return MatchingTerm(CrossModalMatchingLoss(e.form), e.between)
        case ReconstructionEntry():
            return ReconstructionTerm({name: net.target for name, net in nets.items()})
        case PseudoLabelsEntry() as e:
            return PseudoLabelsTerm(PseudoLabelLoss(e.threshold))
        case ConsistencyEntry():
            return ConsistencyTerm(ConsistencyLoss())
        case AdversaryEntry() as e:
            loss = AdversaryLoss(width, _count(e.kind, e.groups, data), e.hidden)
            return AdversaryTerm(loss, e.groups, e.steepness)
        case LinearAdversaryEntry() as e:
            groups = _count(e.kind, e.groups, data)
            return AdversaryTerm(LinearAdversaryLoss(width, groups, e.memory, target_classes=classes), e.groups)
    raise AssertionError(f"no term is made of {entry.kind}")


def _ground_distance(recipe: Recipe, data: Data) -> list[list[float]]:
    return ground_distance((Levels if recipe.labels.ordered else Classes)(data.classes)).tolist()


def _count(term: str, groups: str, data: Data) -> int:
    names = data.group_names[groups]
    if len(names) < 2:
        held = f"all of {names[0]}" if names else "without any"
        raise InputError(
            f"the term {term} needs training items of two or more by {groups}, and they are {held}; "
            f"leave the term out, or give the items' {groups} in their table"
        )
    return len(names)


def triplet_geometry(recipe: Recipe) -> str | None:
    """The geometry by which the recipe's triplets are drawn; None where no term asks for triplets.

    Raises:
        InputError: two terms ask for triplets of different geometries.
    """
    asked = {e.geometry for e in recipe.terms if isinstance(e, FSimilarityEntry) and e.pairs == "triplets"}
    if len(asked) > 1:
        raise InputError(
            f"terms ask for triplets in {' and '.join(sorted(asked))}; a run draws triplets in one geometry"
        )
    return next(iter(asked), None)


def reported_geometry(recipe: Recipe) -> str | None:
    """The geometry in which the recipe's runs tell similarity; None of embeddings that may be negative."""
    if recipe.modalities:
        return None
    if not getattr(recipe.encoder, "non_negative", True):
        return None
    asked = [entry.geometry for entry in recipe.terms if isinstance(entry, FSimilarityEntry)]
    return recipe.monitor.geometry or (asked or ["fisher_rao"])[0]
