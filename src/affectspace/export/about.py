"""What an exported file says of itself, so that whoever has it alone can use it rightly."""

from typing import Any

import affectspace
from affectspace.export.graph import OUTPUTS, Graph
from affectspace.features import LogMel
from affectspace.features.functionals import FUNCTIONALS_LICENCE
from affectspace.training import Model
from affectspace.training.recipe_features import FunctionalsFeatures, RelativeFunctionalsFeatures

__all__ = ["KEY", "about_graph"]

KEY = "affectspace"  # of the metadata in a file
FORMAT = 1
# whose mean and scale an item is given in the graph, by the scope of the model
GIVEN = {
    "none": "features are left as they are",
    "item": "each item is given its own mean and scale",
    "train": "each item is given the mean and scale of all training items",
    "speaker": "each item is given the mean and scale of all training items, as one of a speaker nobody knows",
    "corpus": "each item is given the mean and scale of all training items, as one of a corpus nobody knows",
}


def about_graph(model: Model, graph: Graph) -> dict[str, Any]:
    """The metadata of an exported graph, which JSON can hold: format, classes, inputs, outputs, limits.

    Args:
        model: of which the graph is.
        graph: made by :func:`graph_of`.
    """
    reads, recipe = graph.reads, model.recipe
    told: dict[str, Any] = {
        "format": FORMAT,
        "affectspace": affectspace.__version__,
        "model": recipe.name,
        "classes": list(model.classes),
        "reads": model.medium,
        "inputs": {reads.name: list(reads.shape)},
        "outputs": {OUTPUTS[0]: ["items", "dimensions"], OUTPUTS[1]: ["items", len(model.classes)]},
        "before": reads.before,
        "normalisation": f"{model.normaliser.scope}: {GIVEN[model.normaliser.scope]}",
        "licence": "as the data that it was trained on allow, which the model's card names",
        "use": "research on expressed emotion; not for judging individuals",
    }
    if reads.lengths:
        told["inputs"]["lengths"] = ["items"]
        told["lengths"] = f"the true number of {reads.lengths} of each item, at least {reads.shortest}"
    if isinstance(frontend := graph.frontend, LogMel):
        told |= {"sample_rate": frontend.sample_rate, "features": frontend.fingerprint}
    if isinstance(recipe.features, FunctionalsFeatures | RelativeFunctionalsFeatures):
        told |= {"features": recipe.features.kind, "features_licence": FUNCTIONALS_LICENCE}
    if model.cut is not None:
        told["level_values"] = [float(mean) for mean in model.cut.means]
    return told
