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
    why = (
        "most often as they are too small to hold two items of one class, and two of others, that have both "
        "modalities; what helps is a larger"
    )
    hsic = 'or form = "hsic", which asks for no classes.'
    assert remarks(Run(tmp_path)) == [
        f"The term matching learned nothing from 1 of 9 batches of the last epoch; {why} training.batch_size, "
        f"training.items_per_class, {hsic}",
        "The term matching, of unlabelled items, learned nothing from 2 of 9 batches of the last epoch; "
        f"{why} unlabelled.batch_size, {hsic}",
    ]


def test_what_was_not_learned_is_of_all_folds_together(tmp_path):
    for fold, empty in enumerate((1, 3)):
        folder = tmp_path / f"fold-{fold:02d}"
        folder.mkdir()
        row = {"epoch": 1, "loss": 1.0, "batches": 4, "taught_nothing": {"triplet": {"batches": empty, "items": 2}}}
        (folder / "recipe.toml").write_text('name = "x"\n[[terms]]\nkind = "cross_entropy"\n')
        (folder / "metrics.jsonl").write_text(json.dumps(row) + "\n")
    (tmp_path / "metrics.json").write_text('{"name": "x", "seed": 0, "classes": ["a", "b"]}')
    assert remarks(Run(tmp_path)) == [
        "The term triplet learned nothing from 4 of 8 batches of the last epochs of the 2 folds; a larger "
        "training.batch_size may help.",
        "The term triplet left 4 items of the last epochs of the 2 folds out, which had no partner.",
    ]
