"""The shape of the JSON files of a run folder, as far as its readers rely on it."""

from typing import Any

from pydantic import BaseModel, Field, ValidationError

__all__ = ["RECORDS", "fault_in"]

Figures = dict[str, float | None]


class _Rejected(BaseModel):
    id: str
    reason: str
    without: str | None = None


class _Agreement(BaseModel):
    alpha: float | None = None
    level: str | None = None
    raters: int | None = None
    items: int | None = None
    ratings_per_item: float | None = None
    reason: str | None = None


class _Corpus(BaseModel):
    name: str | None = None
    language: list[str] | str | None = None
    licence: str | None = None
    citation: str | None = None
    note: str | None = None
    sha256: str | None = None
    items: int | None = None
    used: int | None = None
    left_out: dict[str, int] | None = None
    quarantine: list[_Rejected] | None = None
    classes: dict[str, int] | None = None
    agreement: dict[str, _Agreement] | None = None
    unlabelled: int | None = None
    modalities: dict[str, int] | None = None
    nobody_has: dict[str, str] | None = None


class _Labelled(BaseModel):
    share: float
    items: int
    hidden: int


class _Unlabelled(BaseModel):
    items: int
    left_out: dict[str, int]


class _Namesakes(BaseModel):
    corpus: str
    train: str
    speakers: int
    of: int
    example: str


class _Languages(BaseModel):
    absent: dict[str, list[str]] | None = None
    sole_speaker: dict[str, str] | None = None


class _Steady(BaseModel):
    across: str
    names: list[str]


class _Data(BaseModel):
    corpora: list[_Corpus] | None = None
    labelled: _Labelled | None = None
    unlabelled: _Unlabelled | None = None
    pretrained_revision: str | None = None
    namesakes: list[_Namesakes] | None = None
    languages: _Languages | None = None
    steady: _Steady | None = None
    files_sha256: dict[str, str] | None = None


class _Neighbours(BaseModel):
    k: int
    macro_f1: dict[int, float]


class _NotFinite(BaseModel):
    items: int
    of: int


class _OverSpeakers(BaseModel):
    speakers: int
    none: str | None = None
    uar: tuple[float, float] | None = None
    macro_f1: tuple[float, float] | None = None


class _Metrics(BaseModel):
    name: str | None = None
    seed: int | None = None
    protocol: str | None = None
    keeps_apart: list[str] | None = None
    allowed: list[str] | None = None
    transductive: bool | None = None
    selection: str | None = None
    selected_epoch: int | list[int] | None = None
    classes: list[str] = Field(min_length=2)
    geometry: str | None = None
    counts: dict[str, int] | None = None
    validation: Figures | None = Field(None, alias="validate")
    test: Figures | None = None
    unseen: dict[str, Figures] | None = None
    neighbours: _Neighbours | None = None
    learned: Figures | None = None
    absent: dict[str, list[str]] | None = None
    by_modality: dict[str, Figures] | None = None
    by_modality_pooled: bool | None = None
    matching: dict[str, Figures] | None = None
    probes: dict[str, Figures] | None = None
    probes_not_finite: dict[str, _NotFinite] | None = None
    over_speakers: _OverSpeakers | None = None


class _Timing(BaseModel):
    seconds: float | None = None


RECORDS: dict[str, type[BaseModel]] = {"data.json": _Data, "metrics.json": _Metrics, "timing.json": _Timing}


def fault_in(record: type[BaseModel], value: Any) -> str:
    """What is not as expected in the content of a record, in words; empty where nothing is.

    What is absent or unknown is no fault: folders outlive versions.

    Example:
        >>> fault_in(RECORDS["timing.json"], {"seconds": "soon"})
        'seconds: input should be a valid number, unable to parse string as a number'
        >>> fault_in(RECORDS["timing.json"], {})
        ''
    """
    try:
        record.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        told = first["msg"][:1].lower() + first["msg"][1:]
        return f"{place}: {told}" if place else told
    return ""
