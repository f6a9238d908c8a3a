"""What a recipe says of its data: corpora, labels, features, and how training clips are changed."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from affectspace.training.schema import Section

__all__ = [
    "Augment",
    "ClassLabels",
    "CorpusEntry",
    "Labels",
    "LevelLabels",
    "PoleLabels",
    "Views",
    "class_count",
    "stand_in_order",
]


class CorpusEntry(Section):
    """A corpus by its path (relative to ``data``), and its adapter where the layout does not tell."""

    path: str
    adapter: str | None = None


class ClassLabels(Section):
    """Categories; votes become distributions, an own label becomes one-hot."""

    ordered: ClassVar[bool] = False

    kind: Literal["classes"] = "classes"
    names: tuple[str, ...] = Field(min_length=2)
    dimension: str = "emotion"
    soft: bool = True
    others: Literal["error", "leave_out"] = "error"
    map: dict[str, str] = Field(default_factory=dict)


class PoleLabels(Section):
    """A rating scale read as votes for its two ends.

    The ends of the scale are those that each corpus declares for the dimension, or ``low`` and ``high``.
    Two poles stand in an order, so all figures of order are theirs; but only the rank correlation tells more of them
    than the accuracy does.
    """

    ordered: ClassVar[bool] = True

    kind: Literal["poles"]
    dimension: str
    names: tuple[str, str] = ("low", "high")
    low: float | None = None
    high: float | None = None

    @model_validator(mode="after")
    def _has_both_ends(self) -> Self:
        if (self.low is None) != (self.high is None):
            raise ValueError("a scale has two ends; give both low and high, or neither")
        return self


class LevelLabels(Section):
    """Ordered classes, lowest first: named labels, or a scale cut at thresholds or into equally filled bins.

    The thresholds of ``bins`` are learned from the training items of each split. Levels of a scale may go without
    names; they then are named by their bounds.
    """

    ordered: ClassVar[bool] = True

    kind: Literal["levels"]
    names: tuple[str, ...] = ()
    dimension: str = "label"
    thresholds: tuple[float, ...] | None = Field(default=None, min_length=1)
    bins: int | None = Field(default=None, ge=2)

    @model_validator(mode="after")
    def _are_named_or_cut(self) -> Self:
        if self.bins is not None and self.thresholds is not None:
            raise ValueError("bins learns thresholds, and thresholds gives them; keep one of the two")
        if self.bins is None and self.thresholds is None and len(self.names) < 2:
            raise ValueError(
                f"names is {list(self.names)}; give two names or more, the lowest first, or cut numbers by thresholds "
                "or bins"
            )
        count = class_count(self)
        if self.names and len(self.names) != count:
            cut = "bins" if self.bins is not None else "thresholds"
            raise ValueError(f"{cut} makes {count} levels, and {len(self.names)} are named; name {count}, or none")
        return self


def _pair(given: Any) -> Any:
    if not isinstance(given, list | tuple) or len(given) != 2:
        raise ValueError(f"{given!r} is no pair of numbers; give [lowest, highest]")
    return given


def _in_order(ends: tuple[float, float]) -> tuple[float, float]:
    low, high = ends
    if low > high:
        raise ValueError(f"in [{low:g}, {high:g}] the ends are swapped; give [{high:g}, {low:g}]")
    return ends


Range = Annotated[tuple[float, float], BeforeValidator(_pair), AfterValidator(_in_order)]


class Augment(Section):
    """Training clips changed anew for every hearing, by what leaves their emotion as it is; off by default.

    ``share`` of the hearings are changed. Samples: ``speed`` is a range of factors (tempo and pitch together),
    ``level`` the largest change in dB, ``noise`` a range of ratios of signal to noise in dB, ``reverberation`` a range
    of seconds in which a room's sound falls by 60 dB, ``channel`` the largest change in dB by frequency. Features:
    masks over time and over bands, at most ``time_width`` frames and ``band_width`` bands wide (SpecAugment).
    Validation and test items are never changed.
    """

    share: float = Field(default=1.0, gt=0, le=1)
    speed: Range | None = None
    level: float | None = None
    noise: Range | None = None
    reverberation: Range | None = None
    channel: float | None = None
    time_masks: int = Field(default=0, ge=0)
    time_width: int | None = Field(default=None, ge=1)
    band_masks: int = Field(default=0, ge=0)
    band_width: int | None = Field(default=None, ge=1)

    @property
    def reads_samples(self) -> bool:
        """Whether samples are changed, which must then be kept beside the features."""
        changes = (self.speed, self.level, self.noise, self.reverberation, self.channel)
        return any(setting is not None for setting in changes)

    @property
    def masks(self) -> bool:
        """Whether features are masked."""
        return self.time_masks > 0 or self.band_masks > 0

    @property
    def on(self) -> bool:
        """Whether anything is changed at all."""
        return self.reads_samples or self.masks

    @property
    def told(self) -> dict[str, Any] | None:
        """What is on, for the records; None where nothing is."""
        return self.model_dump(mode="json", exclude_defaults=True) if self.on else None

    @model_validator(mode="after")
    def _does_what_it_says(self) -> Self:
        for kind, number, width in (
            ("time", self.time_masks, self.time_width), ("band", self.band_masks, self.band_width)
        ):  # fmt: skip
            if number and width is None:
                raise ValueError(f"{kind}_masks is {number} without a width; give the widest mask as {kind}_width")
            if width is not None and not number:
                raise ValueError(f"{kind}_width is {width} without masks; give their number as {kind}_masks")
        if self.share < 1 and not self.on:
            raise ValueError(
                f"share is {self.share:g} and nothing is on; set speed, level, noise, reverberation, channel or masks"
            )
        if self.reads_samples:
            from affectspace.features import Augmentation  # loads torch, which reading a finished run has no use for

            # refuses what is no range
            Augmentation(self.speed, self.level, self.noise, reverberation=self.reverberation, channel=self.channel)
        return self


class Views(Section):
    """How training sees pictures, anew each time; off by default; see :class:`affectspace.features.Views`.

    ``crop`` is the side in pixels of what the net sees, placed at random; ``flip`` mirrors half of the views;
    ``rotation`` is the largest angle in degrees, ``aspect`` the largest share by which height and width change against
    each other, ``colour`` how much contrast and channels change. Validation and test pictures are seen in their middle,
    and with ``flip`` the answer is the mean of those to it and to its mirror image.
    """

    crop: int | None = Field(default=None, ge=8)
    flip: bool = False
    rotation: float = Field(default=0.0, ge=0, le=180)
    aspect: float = Field(default=0.0, ge=0, le=0.5)
    colour: float = Field(default=0.0, ge=0, le=1)

    @property
    def on(self) -> bool:
        """Whether training pictures are changed at all."""
        return self.crop is not None or self.flip or any((self.rotation, self.aspect, self.colour))

    @property
    def told(self) -> dict[str, Any] | None:
        """What is on, for the records; None where nothing is."""
        return self.model_dump(mode="json", exclude_defaults=True) or None


Labels = Annotated[ClassLabels | PoleLabels | LevelLabels, Field(discriminator="kind")]


def class_count(labels: ClassLabels | PoleLabels | LevelLabels) -> int:
    """How many classes a section ``labels`` has, named or not.

    Example:
        >>> [class_count(LevelLabels(kind="levels", **cut)) for cut in ({"bins": 8}, {"thresholds": (18, 60)})]
        [8, 3]
    """
    if isinstance(labels, LevelLabels) and labels.bins is not None:
        return labels.bins
    if isinstance(labels, LevelLabels) and labels.thresholds is not None:
        return len(labels.thresholds) + 1
    return len(labels.names)


def stand_in_order(labels: Mapping[str, Any]) -> bool:
    """Whether the classes of a section ``labels``, as a file has it, stand in an order: ``ordered`` of its kind.

    Example:
        >>> [stand_in_order({"kind": kind}) for kind in ("classes", "poles", "levels")]
        [False, True, True]
    """
    kinds = {get_args(section.model_fields["kind"].annotation)[0]: section for section in get_args(get_args(Labels)[0])}
    return labels.get("kind") in kinds and kinds[labels["kind"]].ordered
