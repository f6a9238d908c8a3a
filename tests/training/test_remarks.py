"""What terms of unlabelled items did not learn is told as of such."""

import json

from affectspace.training import Run
from affectspace.training.remarks import remarks


def test_a_term_of_unlabelled_items_is_named_as_one(tmp_path):
    nothing = {"matching": {"batches": 1, "items": 0}, "unlabelled.matching": {"batches": 2, "items": 0}}
    row = {"epoch": 1, "loss": 1.0, "batches": 9, "taught_nothing": nothing}
    (tmp_path / "recipe.toml").write_text('name = "x"\n[[terms]]\nkind = "cross_entropy"\n')
    (tmp_path / "metrics.json").write_text('{"name": "x", "seed": 0, "classes": ["a", "b"]}')
    (tmp_path / "metrics.jsonl").write_text(json.dumps(row) + "\n")
    assert remarks(Run(tmp_path)) == [
        "The term matching learned nothing from 1 of 9 batches of the last epoch.",
        "The term matching, of unlabelled items, learned nothing from 2 of 9 batches of the last epoch.",
    ]
