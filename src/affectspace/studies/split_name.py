"""How a study's split is called where the study names none: after what the recipes' protocol does."""

import re

from affectspace.training.recipe_protocol import CrossCorpus, CrossLanguage, GroupedFolds, Protocol, Published

__all__ = ["former_name", "split_name"]


def split_name(protocol: Protocol) -> str:
    """What a protocol does, in words; one fold is called as training calls it, and not as all of them together.

    Example:
        >>> split_name(GroupedFolds(kind="grouped_folds", by="item", fold=0))
        'fold 1 of 5 by item'
        >>> split_name(GroupedFolds(kind="grouped_folds", by="item"))
        '5 folds by item'
    """
    match protocol:
        case CrossCorpus(train=train, test=test):
            return f"{' + '.join(train)} to {' + '.join(test)}"
        case CrossLanguage(target=target, target_folds=folds):
            return target if folds is None else f"{target}, of which others train"
        case Published():
            return "published split"
        case GroupedFolds(folds=folds, by=by, fold=fold):
            return f"{folds} folds by {by}" if fold == "all" else f"fold {fold + 1} of {folds} by {by}"
        case _:
            left_out = f"leave one {protocol.by} out"
            return left_out if protocol.fold == "all" else f"{left_out}, fold {protocol.fold + 1}"


def former_name(name: str) -> str:
    """How a single fold of this name was called before: as all folds together. Other names stay.

    Example:
        >>> former_name("fold 1 of 5 by item"), former_name("leave one speaker out, fold 2"), former_name("mine")
        ('5 folds by item', 'leave one speaker out', 'mine')
    """
    name = re.sub(r"^fold \d+ of (\d+) by (\w+)$", r"\1 folds by \2", name)
    return re.sub(r"^(leave one \w+ out), fold \d+$", r"\1", name)
