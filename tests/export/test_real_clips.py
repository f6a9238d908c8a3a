"""The promise on real inputs: an ONNX file answers for 200 clips of four corpora and many lengths as its model does."""

import numpy as np
import pytest

from affectspace.corpora import open_corpus
from affectspace.export import open_onnx, parity


@pytest.mark.real
@pytest.mark.parametrize("kind", ["conv_pool item", "speech"])
def test_200_real_clips_are_answered_alike(lay_onnx, kind, real_data):
    model, graph, path, _ = lay_onnx(kind)
    random, clips = np.random.default_rng(0), []
    for name in ("emodb", "ravdess", "ased", "urdu"):
        corpus = open_corpus(real_data / "speech" / name)
        for row in corpus.items["audio"].dropna().sample(50, random_state=0):
            samples = model.frontend.read(corpus.root / row)
            clips.append(samples[: random.integers(4_800, len(samples) + 1)])
    assert (len(clips), len({len(clip) for clip in clips}) > 150) == (200, True)
    ask, _ = open_onnx(path)
    for start in range(0, 200, 20):
        found = parity(model, graph, ask, clips[start : start + 20])
        assert max(found.embedding, found.probabilities) < 1e-4
