"""The full description of a run: TOML in, checked, with defaults filled in, TOML out."""

import difflib
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from affectspace.errors import InputError

__all__ = ["Recipe", "dump_recipe", "load_recipe", "make_recipe"]


class Section(BaseModel):
    """A table of a recipe: immutable, and an unknown key is an error that names the nearest legal one."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _know_every_key(cls, values: Any) -> Any:
        for key in values if isinstance(values, dict) else ():
            if key not in cls.model_fields:
                near = difflib.get_close_matches(key, cls.model_fields, 1, 0.5)
                hint = f"did you mean {near[0]!r}? " if near else ""
                raise ValueError(f"unknown key {key!r}; {hint}legal: {', '.join(cls.model_fields)}")
        return values


class CorpusEntry(Section):
    """A corpus by its path (relative to ``data``), and its adapter where the layout does not tell."""

    path: str
    adapter: str | None = None


class ClassLabels(Section):
    """Categories; votes become distributions, an own label becomes one-hot."""

    kind: Literal["classes"] = "classes"
    names: tuple[str, ...] = Field(min_length=2)
    dimension: str = "emotion"
    soft: bool = True
    others: Literal["error", "leave_out"] = "error"
    map: dict[str, str] = {}


class PoleLabels(Section):
    """A rating scale read as votes for its two ends.

    The ends of the scale are those that each corpus declares for the dimension, or ``low`` and ``high``.
    """

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
    """Ordered classes, lowest first: named labels, or a scale cut at thresholds."""

    kind: Literal["levels"]
    names: tuple[str, ...] = Field(min_length=2)
    dimension: str = "label"
    thresholds: tuple[float, ...] | None = None


class Normalise(Section):
    """z-normalisation: whose mean and variance an item is given.

    ``transductive`` lets corpora or speakers outside training use their own (unlabelled) items,
    which is no longer a test on data never seen, and is said so in every output.
    """

    scope: Literal["none", "item", "speaker", "corpus", "train"] = "train"
    transductive: bool = False

    @model_validator(mode="after")
    def _has_groups(self) -> Self:
        if self.transductive and self.scope not in {"speaker", "corpus"}:
            raise ValueError(f"transductive has no meaning for scope {self.scope!r}; legal with it: speaker, corpus")
        return self


class LogMelFeatures(Section):
    """Log-Mel filterbank energies as Kaldi computes them.

    ``max_bad_share`` of a corpus's items may be at fault and are set aside; with more the run stops.
    """

    kind: Literal["log_mel"] = "log_mel"
    bands: int = Field(default=40, ge=1)
    level: float | None = Field(default=None, le=0)
    max_bad_share: float = Field(default=0.1, ge=0, le=1)
    normalise: Normalise = Normalise()


class VectorFeatures(Section):
    """Precomputed vectors from a table or an npz file, below ``data``."""

    kind: Literal["vectors"]
    path: str | tuple[str, ...]
    id_column: str | None = None
    columns: tuple[str, ...] | None = None
    max_bad_share: float = Field(default=0.1, ge=0, le=1)
    normalise: Normalise = Normalise()


class CrossCorpus(Section):
    """Train on some corpora, test on others; validation is whole groups of the training corpora.

    ``seed`` draws these groups, apart from the run's own, so that runs of several seeds share a split.
    """

    kind: Literal["cross_corpus"]
    train: tuple[str, ...] = Field(min_length=1)
    test: tuple[str, ...] = Field(min_length=1)
    validate_share: float = Field(default=0.2, gt=0, lt=1)
    validate_by: Literal["speaker", "session"] = "speaker"
    seed: int = Field(default=0, ge=0)
    allow: tuple[str, ...] = ()


class LeaveOneOut(Section):
    """Test on one speaker or session, train on the others; ``fold`` is one of them, or all in turn."""

    kind: Literal["leave_one_out"]
    by: Literal["speaker", "session"] = "speaker"
    fold: int | Literal["all"] = "all"
    allow: tuple[str, ...] = ()


class GroupedFolds(Section):
    """k folds of whole groups."""

    kind: Literal["grouped_folds"]
    by: Literal["speaker", "session", "script"] = "speaker"
    folds: int = Field(default=5, ge=2)
    seed: int = Field(default=0, ge=0)
    fold: int | Literal["all"] = "all"
    allow: tuple[str, ...] = ()


class ConvPoolEncoder(Section):
    kind: Literal["conv_pool"] = "conv_pool"
    channels: int = Field(default=128, ge=1)
    kernel: int = Field(default=16, ge=1)
    hidden: int = Field(default=128, ge=1)


class MLPEncoder(Section):
    kind: Literal["mlp"]
    hidden: int = Field(default=128, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)


class CrossEntropyEntry(Section):
    kind: Literal["cross_entropy"]
    weight: float = Field(default=1.0, gt=0)
    class_weights: bool = True


class FSimilarityEntry(Section):
    kind: Literal["f_similarity"]
    weight: float = Field(default=10.0, gt=0)
    f: Literal["kl", "reverse_kl", "pearson", "squared_hellinger", "jensen_shannon"] = "kl"
    geometry: Literal["chord", "angle", "fisher_rao"] = "chord"
    pairs: Literal["triplets", "batch"] = "triplets"


class Training(Section):
    """How long, how fast, and which epoch is kept.

    ``selection`` "validation" keeps the epoch with the highest validation UAR (the earliest of
    equals); "last" keeps the last one. ``checkpoint_steps`` adds checkpoints within an epoch to
    those at its end.
    """

    epochs: int = Field(default=30, ge=1)
    batch_size: int = Field(default=100, ge=2)
    learning_rate: float = Field(default=1e-4, gt=0, le=10)
    weight_decay: float = Field(default=0.0, ge=0)
    clip_gradient: float | None = Field(default=None, gt=0)
    selection: Literal["validation", "last"] = "validation"
    checkpoint_steps: int | None = Field(default=None, ge=1)
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    device: Literal["auto", "cpu", "cuda", "mps"] = "cpu"
    threads: int = Field(default=1, ge=1)


class Monitor(Section):
    """What is recorded for people to look at; never used for selection.

    ``test_curve`` scores the test items after every epoch; ``snapshots`` are epochs, from 1,
    after which their embeddings are kept for maps, of at most ``snapshot_items`` items.
    """

    test_curve: bool = False
    snapshots: tuple[Annotated[int, Field(ge=1)], ...] = ()
    snapshot_items: int = Field(default=600, ge=2)


Labels = Annotated[ClassLabels | PoleLabels | LevelLabels, Field(discriminator="kind")]
Features = Annotated[LogMelFeatures | VectorFeatures, Field(discriminator="kind")]
Protocol = Annotated[CrossCorpus | LeaveOneOut | GroupedFolds, Field(discriminator="kind")]
Encoder = Annotated[ConvPoolEncoder | MLPEncoder, Field(discriminator="kind")]
Term = Annotated[CrossEntropyEntry | FSimilarityEntry, Field(discriminator="kind")]


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

    name: str = Field(min_length=1, pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")
    seed: int = Field(default=0, ge=0)
    data: str = "."
    corpora: tuple[CorpusEntry, ...] = Field(min_length=1)
    labels: Labels
    features: Features = LogMelFeatures()
    protocol: Protocol
    encoder: Encoder = ConvPoolEncoder()
    terms: tuple[Term, ...] = Field(default=(CrossEntropyEntry(kind="cross_entropy"),), min_length=1)
    training: Training = Training()
    monitor: Monitor = Monitor()

    def settled(self) -> "Recipe":
        """The same recipe with ``data`` absolute, so that it means the same from any folder."""
        return self.model_copy(update={"data": str(Path(self.data).resolve())})

    @model_validator(mode="before")
    @classmethod
    def _name_kinds(cls, values: Any) -> Any:
        """A section of which only a detail is changed keeps its default kind."""
        kinds = {"features": "log_mel", "encoder": "conv_pool"}
        given = {key: values[key] for key in kinds if isinstance(values, dict) and isinstance(values.get(key), dict)}
        named = {key: {"kind": kinds[key], **section} for key, section in given.items()}
        return {**values, **named} if named else values

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if isinstance(self.features, VectorFeatures) and not isinstance(self.encoder, MLPEncoder):
            raise ValueError(f'encoder.kind {self.encoder.kind!r} reads sequences; vectors need encoder.kind = "mlp"')
        return self


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
        faults = error.errors()
        # A list with a faulty entry is also called too short; the entry's own fault says it all.
        inner = [f for f in faults if not (f["type"] == "too_short" and any(_within(g, f) for g in faults))]
        raise InputError("\n".join(f"{source}: {_sentence(fault, values)}" for fault in inner)) from None


def _within(fault: Any, outer: Any) -> bool:
    return fault is not outer and fault["loc"][: len(outer["loc"])] == outer["loc"]


def _sentence(fault: Any, values: dict[str, Any]) -> str:
    # pydantic puts the tag of a tagged union into the path; a user never wrote it there.
    path: list[str] = []
    place: Any = values
    for part in fault["loc"]:
        if (isinstance(place, dict) and part in place) or (isinstance(place, list) and isinstance(part, int)):
            place = place[part]
        elif part != fault["loc"][-1] or fault["type"] != "missing":
            continue
        path.append(str(part))
    where = ".".join(path)
    match fault["type"]:
        case "missing":
            return f"{where} is missing"
        case "value_error":
            message = fault["msg"].removeprefix("Value error, ")
            return f"{where}: {message}" if where else message
        case "union_tag_invalid" | "union_tag_not_found":
            given = fault["input"].get("kind") if isinstance(fault["input"], dict) else None
            legal = [tag.strip(" '") for tag in fault.get("ctx", {}).get("expected_tags", "").split(",") if tag]
            near = difflib.get_close_matches(str(given), legal, 1, 0.5)
            says = f"is {given!r}; " if given is not None else "is missing; "
            return (
                f"{where}.kind {says}" + (f"did you mean {near[0]!r}? " if near else "") + f"legal: {', '.join(legal)}"
                if legal
                else f"{where}.kind is missing; it says which kind of {where} this is"
            )
        case "model_attributes_type" | "model_type" | "dict_type":
            return f"{where} is {fault['input']!r}; it is a table with keys of its own, such as {where}.kind"
    return f"{where} is {fault['input']!r}; {fault['msg'][0].lower()}{fault['msg'][1:]}"


def load_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe from a TOML file, with ``key.sub=value`` overrides from a command line.

    A relative ``data`` in the file is relative to the file; one given as an override is relative to
    the working folder. Values are read as TOML, or as plain text where they are none.

    Raises:
        InputError: no such file, malformed TOML, unknown or illegal keys, an override without ``=``.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no recipe {path}; recipes are TOML files, some lie in recipes/")
    try:
        values = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8; save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not valid TOML: {error}") from error
    values["data"] = str((path.parent / str(values.get("data", "."))).resolve())
    for override in overrides:
        _apply(values, override)
    if any(override.startswith("data=") for override in overrides):
        values["data"] = str(Path(str(values["data"])).expanduser().resolve())
    return make_recipe(values, str(path))


TEXTS = {"name", "data"}  # a name such as 2024 is text, without quotes


def _apply(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise InputError(f"override {override!r} has no '='; write it as key.sub=value, for example training.epochs=10")
    try:
        value = text if key in TEXTS else tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *parents, last = key.split(".")
    place: Any = values
    for parent in parents:
        place = _step(place, parent, override)
    if isinstance(place, list):
        _step(place, last, override)
        place[int(last)] = value
    else:
        place[last] = value


def _step(place: Any, key: str, override: str) -> Any:
    if isinstance(place, list):
        if not (key.isascii() and key.isdecimal()) or int(key) >= len(place):
            raise InputError(f"override {override!r}: {key!r} is not one of the entries 0..{len(place) - 1}")
        return place[int(key)]
    inner = place.setdefault(key, {})
    if not isinstance(inner, dict | list):
        raise InputError(f"override {override!r}: {key!r} is the value {inner!r} and has no keys below it")
    return inner


def dump_recipe(recipe: Recipe) -> str:
    """The recipe as TOML with every default written out; ``load_recipe`` gives an equal one back."""
    return tomli_w.dumps(recipe.model_dump(mode="json", exclude_none=True))
