"""What a reader of a run must know: whether a term taught the classifier, what taught nothing, what was not tested."""

from affectspace.training.absent import absent_told
from affectspace.training.run import Run

__all__ = ["remarks"]

CLASSIFYING = {"cross_entropy", "ordered_emd", "level_regression", "guided_emd", "entropic_emd"}


def remarks(run: Run) -> list[str]:
    """Sentences, none where all is well."""
    kinds = [str(term.get("kind")) for term in run.recipe.get("terms", ())]
    told = absent_told(run.metrics.get("absent") or {}, len(run.classes))
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
