"""What a reader of a run must know: what taught the classifier or nothing at all, and what the test does not show."""

from affectspace.protocols import namesakes_told
from affectspace.training.absent import absent_told
from affectspace.training.run import Run

__all__ = ["item_remarks", "remarks"]

CLASSIFYING = {"cross_entropy", "ordered_emd", "level_regression", "guided_emd", "entropic_emd"}


def item_remarks(run: Run) -> list[str]:
    """Of the items: which classes are not tested, and who may be known to training; none where all is well."""
    absent = absent_told(run.metrics.get("absent") or {}, len(run.classes))
    return [*absent, *namesakes_told(run.data.get("namesakes") or ())]


def remarks(run: Run) -> list[str]:
    """Sentences, none where all is well."""
    kinds = [str(term.get("kind")) for term in run.recipe.get("terms", ())]
    told = item_remarks(run)
    if kinds and not CLASSIFYING & set(kinds):
        told.append(
            "No term taught the classifier, so that its predictions and their UAR are those of random weights; add "
            "cross_entropy (or another loss of predictions), or use the embeddings alone."
        )
    last = run.parts[0].epochs.iloc[-1] if len(run.parts[0].epochs) else {}
    for column in [name for name in getattr(last, "index", ()) if str(name).startswith("taught_nothing.")]:
        _, term, what = str(column).split(".")
        if what == "batches" and last[column] > 0:
            share = f"{last[column]:.0f} of {last['batches']:.0f} batches"
            told.append(f"The term {term} learned nothing from {share} of the last epoch.")
        elif what == "items" and last[column] > 0:
            told.append(f"The term {term} left {last[column]:.0f} items of the last epoch out, which had no partner.")
    return told
