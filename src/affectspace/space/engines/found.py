"""Items that were found in an index, as a space of their own."""

import pandas as pd
import pyarrow as pa

from affectspace.space.engines.columns import VECTOR, vectors_of
from affectspace.space.engines.manifest import Manifest
from affectspace.space.space import Space

__all__ = ["space_of"]


def space_of(table: pa.Table, manifest: Manifest) -> Space:
    """A table of an index as a space, for pages that show items; columns without any value are left out.

    Args:
        table: one item or more, as :meth:`affectspace.space.engines.protocol.Index.get` gives them.
        manifest: of the index.

    Example:
        >>> table = pa.table({"id": ["a", "b"], "vector": [[0.0, 1.0], [1.0, 0.0]], "label": ["sad", None]})
        >>> space_of(table, Manifest("faiss", 2, "exact", {"label": "text"}, ("happy", "sad")))
        Space(2 items, 2 dimensions, classes happy, sad)
    """
    vectors = vectors_of(table.column(VECTOR))
    columns = {
        name: pd.Series(pd.arrays.ArrowExtensionArray(table.column(name)))  # numbers stay whole where some are missing
        if name in ("target", "probabilities")
        else table.column(name).to_pandas()
        for name in table.column_names
        if name != VECTOR and table.column(name).null_count < len(table)
    }
    return Space(pd.DataFrame(columns), vectors, manifest.classes, manifest.about)
