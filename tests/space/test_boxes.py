"""Items that are a part of a photo: trained on, embedded and kept as that part alone."""

import numpy as np
import pandas as pd
from PIL import Image

from affectspace.space.embed import embed
from affectspace.space.of_run import read_run
from affectspace.training import load_model, make_recipe, train

RECIPE = {
    "name": "boxes",
    "corpora": [{"path": "photos"}],
    "labels": {"kind": "classes", "names": ["down", "up"]},
    "features": {"kind": "faces", "side": 16},
    "protocol": {"kind": "published", "validate_by": "item", "validate_share": 0.25, "allow": ["session"]},
    "encoder": {"kind": "image", "net": "resnet18", "width": 0.05, "dimensions": 6},
    "training": {"epochs": 12, "batch_size": 8, "learning_rate": 1e-2},
}


def photographed(folder, seed=0):
    """Photos with a face that is brighter below on their left, and one that is brighter above on their right."""
    folder.mkdir()
    rng, rows = np.random.default_rng(seed), []
    light = np.linspace(40, 200, 20)[:, None]
    for photo in range(18):
        both = np.hstack([light + np.zeros(20), light[::-1] + np.zeros(20)]) + rng.normal(0, 12, (20, 40))
        Image.fromarray(both.clip(0, 255).astype(np.uint8)).save(folder / f"{photo}.png")
        split = "test" if photo >= 12 else "train"
        for box, label in (("0 0 20 20", "down"), ("20 0 20 20", "up")):
            rows.append({"id": f"{photo}-{label}", "image": f"{photo}.png", "box": box, "label": label, "split": split})
    rows[4]["box"], rows[7]["box"] = "90 0 20 20", "1 2 3"
    pd.DataFrame(rows).to_csv(folder / "items.csv", index=False)


def test_two_faces_of_one_photo_are_learned_and_kept_apart(tmp_path, monkeypatch):
    """Each photo holds a face of each class, so that whole photos would tell nothing."""
    monkeypatch.setenv("AFFECTSPACE_CACHE", str(tmp_path / "cache"))
    photographed(tmp_path / "photos")
    run = train(make_recipe({**RECIPE, "data": str(tmp_path)}), tmp_path / "run", quiet=True)
    assert run.metrics["test"]["uar"] > 0.9
    aside = run.data["corpora"][0]["quarantine"]
    assert [row["id"] for row in aside] == ["2-down", "3-up"]
    assert "lies outside a picture of 40 x 20 pixels" in aside[0]["reason"]
    assert aside[1]["reason"].startswith("box is '1 2 3'; give left, top, width and height")
    found = embed(load_model(run.path), [tmp_path / "photos"], quiet=True)
    assert sorted(found.quarantine["id"]) == ["photos/2-down", "photos/3-up"]
    items = found.space(run.path).items.set_index("id")
    assert items.loc["photos/15-up", "box"] == "20 0 20 20"
    assert (items["prediction"] == items["label"]).mean() > 0.9
    kept = run.predictions.set_index("item").loc["photos/15-up", "embedding"]
    assert np.allclose(found.table.set_index("id").loc["photos/15-up", "vector"], kept, atol=1e-5)
    assert read_run(run.path)[0].set_index("id").loc["photos/15-up", "box"] == "20 0 20 20"
