"""The numbers that several runs predict of the same test items, averaged."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from affectspace.errors import InputError
from affectspace.training.run import Run
from affectspace.training.runs import run_names

__all__ = ["averaged"]


def averaged(runs: Sequence[Run]) -> pd.DataFrame:
    """An ensemble of runs whose levels are those of numbers, such as runs with 3 to 10 bins.

    Each run is blind within its bins, and those of other runs lie elsewhere; all predict in the unit of the labels.

    Args:
        runs: finished runs, two or more, that were tested on the same items.

    Returns:
        One row a test item, sorted: ``item``, ``value`` (the true one), ``predicted_value`` (the mean over runs).
        :func:`affectspace.metrics.value_scores` of the two columns measures it.

    Raises:
        InputError: fewer than two runs, one that predicts no numbers, or that was tested on other items or values.

    Source: Hou, Yu & Samaras, "Squared Earth Mover's Distance-based Loss for Training Deep Neural Networks", 2016,
    Sec. 4.6 (3 to 10 bins).
    """
    if len(runs) < 2:
        raise InputError(f"{len(runs)} run was given, and an ensemble is of two or more; name others with other bins")
    names, tables = run_names(runs), []
    for run, name in zip(runs, names):
        table = run.predictions
        if not {"value", "predicted_value"} <= set(table):
            raise InputError(
                f"{name} predicts no numbers, which an ensemble averages; give runs with labels.bins or "
                "labels.thresholds"
            )
        table = table[table["split"] == "test"].sort_values("item", ignore_index=True)
        if not len(table):
            raise InputError(f"{name} was not tested, so that there is nothing to average; leave it out")
        tables.append(table)
    first = tables[0]
    for table, name in zip(tables[1:], names[1:]):
        if not table["item"].equals(first["item"]):
            raise InputError(f"{name} and {names[0]} were tested on other items; give runs of one protocol")
        if not np.allclose(table["value"], first["value"]):
            raise InputError(f"{name} and {names[0]} were tested on other values; give runs of one labels.dimension")
    predicted = np.mean([table["predicted_value"].to_numpy(float) for table in tables], axis=0)
    return first[["item", "value"]].assign(predicted_value=predicted)
