"""What a recipe says of its training: how long, how fast, and what is recorded."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from affectspace.training.schema import Section

__all__ = ["Monitor", "Training"]


class Training(Section):
    """How long, how fast, and which epoch is kept.

    ``selection`` "validation" keeps the epoch with the highest validation UAR (the earliest of
    equals); "last" keeps the last one; a number keeps the epoch of that number, which was chosen before.
    The end of an epoch is checkpointed when ``checkpoint_seconds`` have gone by since the last time
    (0: every epoch); ``checkpoint_steps`` adds checkpoints within an epoch. ``length_pool`` above 1 draws
    so many batches at a time and sorts their items by length, which saves padding where padding costs
    (on a GPU) and changes which items meet in a batch; see :class:`affectspace.samplers.LengthBuckets`.
    ``labelled_share`` is how many of the training items' labels are used, of each class alike; which ones follows from
    the recipe's seed, and those of a smaller share are among those of a larger one.
    ``items_per_class`` makes batches of so many items of each of ``batch_size / items_per_class`` classes, smaller
    ones where there are fewer classes; see :class:`affectspace.samplers.ClassBatches`. ``across`` = "language", or
    "corpus", takes them from each language alike, and from its speakers in turn. ``schedule`` "cosine" lets the
    learning rate fall to 0. ``chunk_size`` items are encoded with a graph at a time, so that a batch may be larger than
    memory, at the price of one more forward pass; it changes no weight but by rounding.
    """

    epochs: int = Field(default=30, ge=1)
    batch_size: int = Field(default=100, ge=2)
    chunk_size: int | None = Field(default=None, ge=1)
    length_pool: int = Field(default=1, ge=1)
    items_per_class: int | None = Field(default=None, ge=1)
    across: Literal["language", "corpus"] | None = None
    labelled_share: float = Field(default=1.0, gt=0, le=1)
    optimiser: Literal["adam", "sgd"] = "adam"
    momentum: float | None = Field(default=None, ge=0, lt=1)
    learning_rate: float = Field(default=1e-4, gt=0, le=10)
    schedule: Literal["constant", "cosine"] = "constant"
    weight_decay: float = Field(default=0.0, ge=0)
    clip_gradient: float | None = Field(default=None, gt=0)
    selection: Literal["validation", "last"] | Annotated[int, Field(ge=1)] = "validation"
    checkpoint_seconds: float = Field(default=10.0, ge=0)
    checkpoint_steps: int | None = Field(default=None, ge=1)
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    device: Literal["auto", "cpu", "cuda", "mps"] = "cpu"
    threads: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _reaches_its_epoch(self) -> Self:
        if isinstance(self.selection, int) and self.selection > self.epochs:
            raise ValueError(
                f"selection keeps epoch {self.selection}, and training ends after epoch {self.epochs}; "
                f"legal: 1 to {self.epochs}, or more epochs"
            )
        return self

    @model_validator(mode="after")
    def _batches_hold_classes(self) -> Self:
        if self.items_per_class is not None and self.batch_size < 2 * self.items_per_class:
            raise ValueError(
                f"items_per_class is {self.items_per_class} and batch_size {self.batch_size}, which holds fewer than "
                f"two classes; legal: items_per_class up to {self.batch_size // 2}"
            )
        if self.across is not None and self.items_per_class is None:
            raise ValueError(
                f'across is "{self.across}", of which each gives alike of the items of a class, and items_per_class is '
                "not given; give both, or leave across out"
            )
        if self.momentum is not None and self.optimiser != "sgd":
            raise ValueError('momentum belongs to optimiser = "sgd"; leave it out, or choose that')
        return self


class Monitor(Section):
    """What is recorded for people to look at; never used for selection.

    ``geometry`` is the one in which similarity is told: that of the first f-similarity term where it
    is not given, and ``fisher_rao`` where there is none; embeddings that may be negative have none.
    ``test_curve`` scores the test items after every epoch. ``space`` measures the space of the kept epoch:
    neighbours, clusters, retrieval. ``snapshots`` are epochs, from 1, after which their embeddings are kept
    for maps, of at most ``snapshot_items`` items.
    """

    geometry: Literal["chord", "angle", "fisher_rao"] | None = None
    test_curve: bool = False
    space: bool = False
    snapshots: tuple[Annotated[int, Field(ge=1)], ...] = ()
    snapshot_items: int = Field(default=600, ge=2)
