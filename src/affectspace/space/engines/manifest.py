"""What an index is, told in one file of JSON or beside a collection of a server."""

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, Self

from affectspace.errors import InputError
from affectspace.files import json_text

__all__ = ["Kind", "Manifest"]

FORMAT = 1
Kind = Literal["exact", "ivf", "ivf-pq"]


@dataclass(frozen=True)
class Manifest:
    """What an index is.

    Args:
        engine: ``faiss`` or ``milvus``.
        dimensions: numbers a vector.
        kind: how it is searched: ``exact``, by inverted lists (``ivf``), or by lists of compressed vectors
            (``ivf-pq``).
        columns: kind of each column besides ``id`` and ``vector``; see
            :data:`affectspace.space.engines.columns.KINDS`.
        classes: that labels and probabilities speak of.
        about: where the space comes from, as :attr:`affectspace.space.Space.about` tells it.
        recall: share of the 10 nearest that a search finds, measured on items of it; 1 where it is exact.
        items: how many.
        metric: of distances.
        state: what the engine itself keeps.
    """

    engine: str
    dimensions: int
    kind: Kind
    columns: dict[str, str]
    classes: tuple[str, ...] = ()
    about: dict[str, Any] = field(default_factory=dict)
    recall: float = 1.0
    items: int = 0
    metric: str = "euclidean"
    state: dict[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        """As JSON."""
        return json_text({"format": FORMAT, **asdict(self)}, indent=1)

    @classmethod
    def read(cls, text: str, name: str) -> Self:
        """From JSON.

        Args:
            text: of it.
            name: of the index, for errors.

        Raises:
            InputError: it is damaged, or of another format.
        """
        try:
            told = json.loads(text)
            if told.pop("format") != FORMAT:
                raise InputError(f"{name} is an index of another format; this affectspace reads {FORMAT}: upgrade it")
            given: dict[str, Any] = {entry.name: told[entry.name] for entry in fields(cls)}
            given["classes"] = tuple(given["classes"])
            return cls(**given)
        except InputError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"the manifest of {name} is damaged ({error}); build the index again with affectspace index"
            ) from error
