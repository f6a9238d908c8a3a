"""Which numbers each named level holds, for whoever named them in another order than they were cut in."""

from affectspace.labels import Levels
from affectspace.training.run import Run

__all__ = ["level_names_told"]


def level_names_told(run: Run) -> str:
    """The levels of a run that were given names of their own, the lowest first, with their bounds; empty for others.

    Of several folds, each of which may have learned bounds of its own, those of the first are told.
    """
    thresholds = (run.data.get("levels") or {}).get("thresholds")
    names = run.recipe.get("labels", {}).get("names")
    if not names or not thresholds or len(names) != len(thresholds) + 1:
        return ""
    bounds = Levels((), tuple(thresholds)).names
    where = " (in the first of the folds)" if run.folds else ""
    return f"from the lowest{where}: {', '.join(f'{name} = {bound}' for name, bound in zip(names, bounds))}"
