"""A file of torch.export answers as its model does at any length, and holds no pickle."""

import io
import json
import zipfile

import pytest
import torch

from affectspace.errors import InputError
from affectspace.export import graph_of, made_up, open_torch_export, parity, write_torch_export
from affectspace.export.torch_export_file import pickles_in


@pytest.mark.parametrize("kind", ["conv_pool", "speech", "frames"])
def test_a_file_answers_as_the_model_at_every_length(lay_model, kind, tmp_path):
    model = lay_model(kind)
    graph, path = graph_of(model), tmp_path / "model.pt2"
    about = write_torch_export(path, model, graph)
    ask, told = open_torch_export(path)
    assert told == about
    found = parity(model, graph, ask, made_up(model, graph))
    assert max(found.embedding, found.probabilities) < 1e-4
    with zipfile.ZipFile(path) as archive:
        whole = b"".join(map(archive.read, archive.namelist()))
    assert b"export/graph.py" not in whole
    assert b"site-packages" not in whole


def test_a_file_with_a_pickle_is_found_and_refused(lay_model, tmp_path):
    model = lay_model("mlp")
    path = tmp_path / "model.pt2"
    write_torch_export(path, model, graph_of(model))
    assert pickles_in(path) == []
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    (config,) = [name for name in parts if name.endswith("weights_config.json")]
    named = json.loads(parts[config])
    next(iter(named["config"].values()))["use_pickle"] = True
    held = io.BytesIO()
    torch.save(torch.zeros(1), held)
    for change in (
        {config: json.dumps(named).encode()},
        {"model/data/sample_inputs/model.pt": held.getvalue()},
        {"x.pkl": b""},
    ):
        spoilt = tmp_path / "spoilt.pt2"
        with zipfile.ZipFile(spoilt, "w") as archive:
            for name, content in (parts | change).items():
                archive.writestr(name, content)
        with pytest.raises(InputError, match="as a pickle, which may run code; affectspace export writes none"):
            open_torch_export(spoilt)
    (tmp_path / "no.pt2").write_bytes(b"no archive")
    with pytest.raises(InputError, match=r"is no file of torch\.export: File is not a zip file"):
        open_torch_export(tmp_path / "no.pt2")
