"""The shapes of what the service answers, as its OpenAPI description tells them."""

from typing import Any

from pydantic import BaseModel

__all__ = [
    "Embeddings",
    "Fault",
    "Health",
    "ModelCard",
    "Predictions",
    "Search",
    "files_body",
    "json_body",
    "texts_body",
]


class Fault(BaseModel):
    """Why a request is not answered as asked."""

    error: str


class Unread(BaseModel):
    """An upload of which nothing can be said."""

    file: str
    reason: str


class NearItem(BaseModel):
    """A training item near an upload."""

    id: str
    language: str | None
    label: str | None
    distance: float


class Prediction(BaseModel):
    """What the model says of an upload, as ``affectspace predict --json`` has it."""

    file: str
    prediction: str
    probabilities: dict[str, float]
    expected_level: float | None = None
    predicted_value: float | None = None
    nearest: list[NearItem]
    distances: dict[str, float]
    far: bool | None
    far_by: list[str]


class Predictions(BaseModel):
    """Those that could be read, in their order, and the others."""

    files: list[Prediction]
    unread: list[Unread]


class Embedding(BaseModel):
    """Where the net places an upload."""

    file: str
    vector: list[float]
    prediction: str
    probabilities: dict[str, float]


class Embeddings(BaseModel):
    """Those that could be read, in their order, and the others."""

    files: list[Embedding]
    unread: list[Unread]


class FoundItem(BaseModel):
    """An item of the space."""

    id: str
    label: str | None = None
    prediction: str | None = None
    distance: float


class Search(BaseModel):
    """The items nearest to what was asked, the nearest first."""

    query: str
    searched: int
    found: list[FoundItem]


class Health(BaseModel):
    """Whether requests are answered."""

    status: str


class ModelCard(BaseModel):
    """What the model is, and what it may be asked."""

    run: str
    reads: str
    classes: list[str]
    dimensions: int
    known: int | None
    far: str | None
    notes: list[str]
    space: int | None
    limits: dict[str, float]


def files_body(name: str, one: bool = False) -> dict[str, Any]:
    """The body of a request with files, as OpenAPI describes it."""
    file = {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}
    held = file if one else {"type": "array", "items": file, "minItems": 1}
    form = {"type": "object", "required": [name], "additionalProperties": False, "properties": {name: held}}
    return {"multipart/form-data": {"schema": form}}


def texts_body(longest: int, most: int) -> dict[str, Any]:
    """The body of a request with texts."""
    text = {"type": "string", "minLength": 1, "maxLength": longest}
    texts = {"type": "array", "items": text, "minItems": 1, "maxItems": most}
    return json_body({"text": texts})


def json_body(properties: dict[str, Any]) -> dict[str, Any]:
    """The body of a request in JSON, all of whose properties are needed."""
    told = {"type": "object", "required": [*properties], "additionalProperties": False, "properties": properties}
    return {"application/json": {"schema": told}}
