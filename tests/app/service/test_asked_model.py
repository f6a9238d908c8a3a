"""A model that is asked together about many items says of each what it says of it alone."""

import numpy as np
import pandas as pd
import pytest

from affectspace.app.service.asked_model import AskedModel, together
from affectspace.errors import InputError, MediaError
from affectspace.training.predict_files import predict_files


def files(heard):
    return [str(heard / "alva" / path) for path in pd.read_csv(heard / "alva/items.csv")["audio"]]


def test_answers_are_those_of_predict_alone_and_together(heard, ears):
    paths = files(heard)
    expected = predict_files(heard / "run", paths).answers
    items = [ears.prepare(path) for path in paths]
    assert len({item.frames for item in items}) > 5
    for found in (ears.answers(items), [ears.answers([item])[0] for item in items]):
        for each, one in zip(found, expected, strict=True):
            told, by_file = each.answer.told(ears.model.classes), one.told(ears.model.classes)
            assert told["probabilities"] == pytest.approx(by_file["probabilities"], abs=1e-5)
            assert told["distances"] == pytest.approx(by_file["distances"], rel=1e-4, abs=1e-4)
            assert [near["id"] for near in told["nearest"]] == [near["id"] for near in by_file["nearest"]]
            assert (told["far"], told["far_by"]) == (by_file["far"], by_file["far_by"])


def test_pictures_too(seen):
    eyes = AskedModel(seen / "run")
    paths = [str(seen / f"{number}.png") for number in range(9)]
    items = [eyes.prepare(path) for path in paths]
    expected = predict_files(seen / "run", paths).answers
    for each, one in zip(eyes.answers(items), expected, strict=True):
        assert each.answer.probabilities == pytest.approx(one.probabilities, abs=1e-5)
    assert eyes.dimensions == 6


def test_texts_have_no_known_items(read):
    reader = AskedModel(read / "run")
    alone = reader.answers([reader.prepare("w1 w2 w3")])[0]
    both = reader.answers([reader.prepare("w4"), reader.prepare("w1 w2 w3")])[1]
    assert both.embedding == pytest.approx(alone.embedding, abs=1e-6)
    assert (alone.answer.nearest, alone.answer.distances, alone.answer.beyond) == ((), {}, None)
    with pytest.raises(MediaError, match="none of its 1 words is in"):
        reader.prepare("unknown")


def test_batches_are_of_like_length_and_never_too_much():
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 150_000, 200).tolist()
    groups = list(together(lengths))
    assert sorted(row for group in groups for row in group) == [*range(200)]
    for group in groups:
        own = [lengths[row] for row in group]
        assert max(own) <= 2 * min(own)
        assert max(own) * len(own) <= 400_000 or len(own) == 1
    assert list(together([])) == []


def test_what_is_no_model_is_refused(tmp_path, heard):
    with pytest.raises(InputError, match="there is no model in"):
        AskedModel(tmp_path)
    with pytest.raises(InputError, match="there is no model in"):
        AskedModel(heard / "alva")
