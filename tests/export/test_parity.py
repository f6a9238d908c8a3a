"""How far a file lies from its model is told of one that is wrong, too."""

import numpy as np
import pytest
import torch

from affectspace.export import graph_of, made_up, parity


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("by", [0.5, np.inf, np.nan])
def test_one_wrong_number_of_one_item_is_told(lay_model, which, together, by):
    """Wrong alone or beside others alone; a difference that is no number is not lost among those that are."""
    model = lay_model("mlp")
    graph = graph_of(model)
    items = made_up(model, graph)
    asked = []

    def ask(inputs):
        with torch.no_grad():
            answers = [each.numpy().copy() for each in graph(*inputs)]
        asked.append(len(answers[0]))
        if len(answers[0]) == (10 if together else 1) and (together or len(asked) == 4):
            answers[which][-1, 0] += by
        return tuple(answers)

    found = parity(model, graph, ask, items)
    gaps = (found.embedding, found.probabilities)
    assert gaps[which] == pytest.approx(by, abs=1e-4, nan_ok=True)
    assert gaps[1 - which] < 1e-4
    assert sorted(asked) == [1] * 10 + [10]
