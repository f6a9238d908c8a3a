"""What training and embedding with several modalities, and without labels, say in a terminal."""

from pathlib import Path

import tomli_w


def test_training_tells_every_subset_and_what_had_no_label(run, tmp_path, lay_duo):
    values = lay_duo(tmp_path) | {"data": "."}
    values["training"]["labelled_share"] = 0.5
    (tmp_path / "duo.toml").write_text(tomli_w.dumps(values))
    code, out, err = run("train", "duo.toml", "--out", "run")
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    heading = next(place for place, words in enumerate(lines) if words[:2] == ["shown", "items"])
    assert lines[heading][2:] == ["UAR", "%", "chance", "F1", "%", "WF1", "%", "WAP", "%"]
    assert [" ".join(words[:-6]) for words in lines[heading + 2 : heading + 5]] == [
        "acoustic", "lexical", "acoustic + lexical",
    ]  # fmt: skip
    told = " ".join(out.split())
    assert "41 of 48 items are used with their targets; set aside: 2 x the item has none of the modalities" in told
    assert "without a target: 5 x no label" in told
    assert "modalities of duo: acoustic 40, lexical 42 of 46 items" in told
    assert "training labels are used (training.labelled_share 0.5)." in told
    assert "items are trained on without a label; left out:" in told
    assert "that share a speaker with validation or test items." in told
    assert f"affectspace embed run {Path('duo').resolve()} --out embeddings.parquet" in told

    code, out, _ = run("embed", "run", "duo")
    assert code == 0
    assert "modalities of duo: acoustic 40, lexical 42 of 46 items" in out
    assert "by modality: 36 x acoustic+lexical, 6 x lexical, 4 x acoustic" in out
    assert "left out: duo/i00: the item has none of the modalities" in out

    (tmp_path / "clip.wav").write_bytes(b"sound")
    code, _, err = run("embed", "run", "clip.wav", "--out", "clip.parquet")
    assert code == 2
    assert "clip.wav is no corpus, and this model reads several modalities (acoustic, lexical)" in err

    code, out, _ = run("evaluate", "run")
    assert code == 0
    assert "scores by modality" in out
