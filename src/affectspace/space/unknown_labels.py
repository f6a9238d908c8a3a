"""Labels of a corpus that are none of a model's classes, so that their items have no label in its space."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from affectspace.labels.naming import resolve
from affectspace.labels.targets import Targets
from affectspace.labels.votes import judgements

__all__ = ["unknown_labels_told"]

NAMED = 5  # labels


def unknown_labels_told(
    corpus: str,
    items: pd.DataFrame,
    ratings: pd.DataFrame,
    dimension: str,
    targets: Targets,
    names: Sequence[str],
    mapping: Mapping[str, str],
) -> str:
    """How many labels are no classes, which, and what to do; empty where all are, or are left out by the map.

    Args:
        corpus: its name.
        items: with the columns ``id`` and ``label``.
        ratings: of these items; of votes the label of an item is the one that most have chosen.
        dimension: of the votes.
        targets: of the items, in their order.
        names: of the classes.
        mapping: own label -> class, as the targets were made by.

    Example:
        >>> from affectspace.labels import Classes
        >>> items = pd.DataFrame({"id": list("abcd"), "label": ["calm", "calm", "sad", None]})
        >>> found = Classes(("angry", "sad"), others="leave_out").targets(items)
        >>> unknown_labels_told("mine", items, pd.DataFrame(), "emotion", found, ("angry", "sad"), {}).partition(";")[0]
        "2 labels of mine are none of the model's classes (calm 2): their items have no label in the space"
        >>> unknown_labels_told("mine", items, pd.DataFrame(), "emotion", found, ("angry", "sad"), {"calm": ""})
        ''
    """
    without = items[~targets.usable]
    if targets.source == "label":
        said = without["label"].dropna().rename_axis("item").reset_index(name="value")
    else:
        judged = judgements(ratings, dimension)
        votes = pd.DataFrame({"item": judged.items, "value": judged.values})
        votes = votes[votes["item"].isin(without["id"].dropna())]
        counts = votes.value_counts().reset_index()
        said = counts[counts["count"] == counts.groupby("item")["count"].transform("max")]
    said = said.assign(value=said["value"].astype(str))
    distinct = np.unique(said["value"].to_numpy(object).astype(str))
    unknown = {str(distinct[place]) for place in resolve(distinct, names, mapping)[1]}
    lost = said[said["value"].isin(unknown)].sort_values("value").drop_duplicates("item")  # one of each item's, if torn
    if not (found := Counter(lost["value"])):
        return ""
    named = found.most_common(NAMED)
    told = ", ".join(f"{label if label.isprintable() else repr(label)} {count:,}" for label, count in named)
    told += f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    one = found.total() == 1
    whose = "its item has" if one else "their items have"
    return (
        f"{found.total():,} label{'' if one else 's'} of {corpus} {'is' if one else 'are'} none of the model's classes "
        f"({told}): {whose} no label in the space; if {'it means' if one else 'they mean'} one of {', '.join(names)}, "
        "say so under [label_map] in the corpus.toml of the corpus (docs/your-data.md)"
    )
