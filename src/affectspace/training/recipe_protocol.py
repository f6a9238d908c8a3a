"""What a recipe says of who trains, who validates and who tests."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from affectspace.training.schema import Section

__all__ = [
    "CrossCorpus",
    "CrossLanguage",
    "GroupedFolds",
    "Inner",
    "LeaveOneOut",
    "Protocol",
    "Published",
    "all_folds",
    "has_folds",
]

Group = Literal["speaker", "session", "script", "item", "language"]


class Inner(Section):
    """Choosing settings on training items alone: the test items are put aside, wholly.

    Of the other items the group number ``fold`` validates and the rest trains; nothing is tested.
    """

    by: Group = "speaker"
    fold: int = Field(ge=0)


class CrossCorpus(Section):
    """Train on some corpora, test on others; validation is whole groups of the training corpora.

    ``seed`` draws these groups, apart from the run's own, so that runs of several seeds share a split.
    """

    kind: Literal["cross_corpus"]
    train: tuple[str, ...] = Field(min_length=1)
    test: tuple[str, ...] = Field(min_length=1)
    validate_share: float = Field(default=0.2, ge=0, lt=1)
    validate_by: Group = "speaker"
    seed: int = Field(default=0, ge=0, lt=2**63)
    inner: Inner | None = None
    allow: tuple[str, ...] = ()

    @property
    def validates(self) -> bool:
        """Whether any item validates."""
        return self.validate_share > 0 or self.inner is not None


class CrossLanguage(Section):
    """Train on the ``source`` and ``auxiliary`` languages, test on ``target``, of which nothing was heard.

    Without ``source`` all languages but the target train; ``auxiliary = ["others"]`` is all but source and target.
    Validation is whole groups of the languages that train, or by ``validate_by`` = "language" whole ones of these.
    ``target_folds`` gives an upper bound and no test on a language never heard: the target's speakers are dealt into so
    many folds, and those that are not tested train, too.
    """

    kind: Literal["cross_language"]
    target: str = Field(min_length=1)
    source: tuple[str, ...] = ()
    auxiliary: tuple[str, ...] = ()
    validate_share: float = Field(default=0.2, ge=0, lt=1)
    validate_by: Group = "speaker"
    target_folds: int | None = Field(default=None, ge=2)
    fold: int | Literal["all"] = "all"
    seed: int = Field(default=0, ge=0, lt=2**63)
    inner: Inner | None = None
    allow: tuple[str, ...] = ()

    @property
    def validates(self) -> bool:
        """Whether any item validates."""
        return self.validate_share > 0 or self.inner is not None

    @model_validator(mode="after")
    def _hears_no_target(self) -> Self:
        if self.auxiliary and not self.source:
            raise ValueError(
                f"auxiliary is {', '.join(self.auxiliary)} beside no source; name the source, or leave auxiliary out: "
                "without both all languages but the target train"
            )
        if self.target in (*self.source, *self.auxiliary):
            raise ValueError(
                f"{self.target!r} is the target and trains as well, so that it would not be a language never heard; "
                "leave it out of source and auxiliary, or ask for an upper bound by target_folds"
            )
        if self.target_folds is None and self.fold != "all":
            raise ValueError(f"fold is {self.fold} without target_folds; leave it out, or give both")
        return self


class LeaveOneOut(Section):
    """Test on one speaker or session, train on the others; ``fold`` is one of them, or all in turn.

    The next ``validate_groups`` of them validate; or, ``within`` its session, say, the others of the session of the
    speaker that is tested, and only other sessions train.
    """

    kind: Literal["leave_one_out"]
    by: Group = "speaker"
    fold: int | Literal["all"] = "all"
    validate_groups: int = Field(default=1, ge=0)
    within: Literal["speaker", "session", "script"] | None = None
    inner: Inner | None = None
    allow: tuple[str, ...] = ()

    @property
    def validates(self) -> bool:
        """Whether any item validates."""
        return self.validate_groups > 0 or self.within is not None or self.inner is not None

    @model_validator(mode="after")
    def _validates_one_way(self) -> Self:
        # 1, the default, and 0, which studies used to write, are found in runs beside within, and say nothing there
        if self.within is not None and self.validate_groups > 1:
            raise ValueError(
                f'validate_groups is {self.validate_groups}, and within = "{self.within}" lets all others of the '
                f"tested {self.by}'s {self.within} validate in place of other groups; leave one of the two out"
            )
        return self


class GroupedFolds(Section):
    """k folds of whole groups; of what is not tested a share validates."""

    kind: Literal["grouped_folds"]
    by: Group = "speaker"
    folds: int = Field(default=5, ge=2)
    validate_share: float = Field(default=0.2, ge=0, lt=1)
    seed: int = Field(default=0, ge=0, lt=2**63)
    fold: int | Literal["all"] = "all"
    inner: Inner | None = None
    allow: tuple[str, ...] = ()

    @property
    def validates(self) -> bool:
        """Whether any item validates."""
        return self.validate_share > 0 or self.inner is not None


class Published(Section):
    """The split that the corpora were published with; where it validates on nothing, a share of training does.

    Items that are identical to one of a later part (train, validate, test) are put aside, and counted in the records;
    ``allow`` with ``"audio"`` in it keeps them. The corpora ``unseen`` are tested whole, each with figures of its own.
    """

    kind: Literal["published"]
    unseen: tuple[str, ...] = ()
    validate_share: float = Field(default=0.1, ge=0, lt=1)
    validate_by: Group = "speaker"
    seed: int = Field(default=0, ge=0, lt=2**63)
    inner: Inner | None = None
    allow: tuple[str, ...] = ()

    @property
    def validates(self) -> bool:
        """Whether any item validates, as far as the recipe tells."""
        return self.validate_share > 0 or self.inner is not None


Protocol = Annotated[CrossCorpus | CrossLanguage | LeaveOneOut | GroupedFolds | Published, Field(discriminator="kind")]


def has_folds(protocol: Protocol) -> bool:
    """Whether a run of the protocol is of one fold among several.

    Example:
        >>> has_folds(CrossLanguage(kind="cross_language", target="de"))
        False
        >>> has_folds(CrossLanguage(kind="cross_language", target="de", target_folds=5))
        True
    """
    return isinstance(protocol, LeaveOneOut | GroupedFolds) or getattr(protocol, "target_folds", None) is not None


def all_folds(protocol: Protocol) -> bool:
    """Whether all folds of the protocol are asked for, one run each.

    Example:
        >>> all_folds(GroupedFolds(kind="grouped_folds")), all_folds(GroupedFolds(kind="grouped_folds", fold=2))
        (True, False)
    """
    return has_folds(protocol) and getattr(protocol, "fold", None) == "all"
