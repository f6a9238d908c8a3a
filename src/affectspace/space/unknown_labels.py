"""Labels of a corpus that are none of a model's classes, so that their items have no label in its space."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from affectspace.labels.naming import resolve
from affectspace.labels.targets import Targets
from affectspace.labels.votes import judgements

__all__ = ["all_labels", "unknown_labels", "unknown_labels_told"]

NAMED = 5  # labels


def all_labels(items: pd.DataFrame) -> pd.Series:
    """The label of each item of a space as text, be it a class or not; missing where it has none.

    Example:
        >>> all_labels(pd.DataFrame({"label": ["sad", None, None], "other_label": [None, "calm", None]})).tolist()
        ['sad', 'calm', <NA>]
    """
    labels = items["label"].astype("string")
    return labels.fillna(items["other_label"].astype("string")) if "other_label" in items else labels


def unknown_labels(
    items: pd.DataFrame,
    ratings: pd.DataFrame,
    dimension: str,
    targets: Targets,
    names: Sequence[str],
    mapping: Mapping[str, str],
) -> pd.Series:
    """The label of each item that is none of the classes, by the index of ``items``; missing where that is not so.

    Args:
        items: with the columns ``id`` and ``label``.
        ratings: of these items; of votes the label of an item is the one that most have chosen, and where they are torn
            between such a label and a class, that label.
        dimension: of the votes.
        targets: of the items, in their order.
        names: of the classes.
        mapping: own label -> class, as the targets were made by; what it leads to no class is told of nowhere.

    Example:
        >>> from affectspace.labels import Classes
        >>> items = pd.DataFrame({"id": list("abcd"), "label": ["calm", "bored", "sad", None]})
        >>> found = Classes(("angry", "sad"), others="leave_out").targets(items)
        >>> unknown_labels(items, pd.DataFrame(), "emotion", found, ("angry", "sad"), {"bored": ""}).tolist()
        ['calm', <NA>, <NA>, <NA>]
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
    by_item = lost.set_index("item")["value"]
    if targets.source == "label":
        return by_item.reindex(items.index).astype("string")
    return items["id"].map(by_item).astype("string")


def unknown_labels_told(corpus: str, unknown: pd.Series, names: Sequence[str]) -> str:
    """How many labels are no classes, which, and what to do; empty where there are none.

    Args:
        corpus: its name.
        unknown: as :func:`unknown_labels` gives them.
        names: of the classes.

    Example:
        >>> unknown_labels_told("mine", pd.Series(["calm", None, "calm"]), ("angry", "sad")).partition(":")[0]
        "2 labels of mine are none of the model's classes (calm 2)"
    """
    if not (found := Counter(unknown.dropna())):
        return ""
    named = found.most_common(NAMED)
    told = ", ".join(f"{label if label.isprintable() else repr(label)} {count:,}" for label, count in named)
    told += f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    one = found.total() == 1
    whose, kept, mean = ("its item has", "it", "it means") if one else ("their items have", "them", "they mean")
    return (
        f"{found.total():,} label{'' if one else 's'} of {corpus} {'is' if one else 'are'} none of the model's classes "
        f"({told}): {whose} no label in the space, where other_label keeps {kept}; if {mean} one of "
        f"{', '.join(names)}, say so under [label_map] in the corpus.toml of the corpus (docs/your-data.md)"
    )
