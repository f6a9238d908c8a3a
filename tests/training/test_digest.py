"""By what a run tells that its corpus has changed."""

import hashlib

import pandas as pd

from affectspace.corpora import Card, Corpus
from affectspace.corpora.corpus import make_items, make_ratings
from affectspace.training.gather_corpus import LATER_COLUMNS, corpus_digest


def corpus(root, **columns):
    rows = pd.DataFrame({"id": ["a", "b"], "audio": ["a.wav", "b.wav"], **columns})
    return Corpus(root, make_items(rows, Card("mine")), make_ratings(None), Card("mine"))


def test_columns_that_corpora_had_not_at_first_change_nothing_while_they_are_empty(tmp_path):
    plain = corpus(tmp_path)
    before = plain.items.drop(columns=list(LATER_COLUMNS)).to_csv(index=False) + plain.ratings.to_csv(index=False)
    assert corpus_digest(plain) == hashlib.sha256(before.encode()).hexdigest()
    filmed = corpus(tmp_path, video=["a.mp4", None])
    assert corpus_digest(filmed) not in (corpus_digest(plain), corpus_digest(corpus(tmp_path, video=["b.mp4", None])))
    assert corpus_digest(corpus(tmp_path, speaker=["x", "y"])) != corpus_digest(plain)
