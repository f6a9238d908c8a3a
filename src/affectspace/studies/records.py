"""The shape of the JSON files of a study folder, as far as its readers rely on it."""

from typing import Any

from pydantic import BaseModel, RootModel

__all__ = ["RECORDS"]


class _Tried(BaseModel):
    recipe: str
    stage: str
    set: dict[str, Any]
    epoch: int | None = None
    uar: float | None = None
    sd: float | None = None
    runs: int | None = None
    diverged: int | None = None


class _Shared(BaseModel):
    set: dict[str, Any] | None = None
    epoch: int | None = None


class _Choice(BaseModel):
    shared: _Shared | None = None
    own: dict[str, dict[str, Any]] | None = None
    own_epoch: dict[str, int] | None = None
    tried: list[_Tried] | None = None
    curve: list[float | None] | None = None
    open: list[str] | None = None


class _Selection(RootModel[dict[str, _Choice]]):
    pass


class _Timing(BaseModel):
    seconds: float | None = None
    predicted_seconds: float | None = None
    processes: int | None = None
    grid_seconds: float | None = None
    run_seconds: float | None = None


RECORDS: dict[str, type[BaseModel]] = {"selection.json": _Selection, "timing.json": _Timing}
