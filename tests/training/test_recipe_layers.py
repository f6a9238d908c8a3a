"""Layers that terms read and sizes of convolutions are looked at where the recipe is read, before any data are."""

import pytest
import tomli_w

from affectspace.encoders import MLP, ConvPool, ImageEncoder, SpeechNet
from affectspace.errors import InputError
from affectspace.training import load_recipe, make_recipe
from affectspace.training.recipe_encoder import ConvPoolEncoder, ImageEncoderEntry, MLPEncoder, SpeechEncoder
from affectspace.training.recipe_layers import layer_sizes

SEQUENCE = {"kind": "sequence", "frames": 8, "heads": 1, "blocks": 1, "latent": 4}


def values(convolutions=((4, 2, 1, 2),), visual=None, **changes):
    seen = {"kind": "face_sequence", "frames": 8, "pixels": 4, **(visual or {})}
    return {
        "name": "mine",
        "data": "nowhere",
        "corpora": [{"path": "mine"}],
        "labels": {"kind": "classes", "names": ["angry", "sad"]},
        "modalities": {
            "acoustic": {"features": {"kind": "vectors", "path": "a.npz"}, "net": {"kind": "linear", "latent": 4}},
            "visual": {"features": seen, "net": {**SEQUENCE, "convolutions": convolutions}},
        },
        "protocol": {"kind": "grouped_folds", "by": "speaker", "folds": 2},
        **changes,
    }


def plain(term, **changes):
    told = {key: value for key, value in values().items() if key != "modalities"}
    return {**told, "terms": [{"kind": "cross_entropy"}, term], **changes}


def test_a_misspelt_modality_is_refused_with_the_file_the_key_and_the_nearest(tmp_path):
    terms = [{"kind": "cross_entropy"}, {"kind": "reconstruction"}]
    terms.append({"kind": "matching", "between": ["accoustic", "visual"]})
    (tmp_path / "mine.toml").write_text(tomli_w.dumps(values(terms=terms)))
    with pytest.raises(InputError) as stopped:
        load_recipe(tmp_path / "mine.toml")
    assert str(stopped.value) == (
        f"{tmp_path / 'mine.toml'}: terms.2.between names 'accoustic', and this net has no such layer; did you mean "
        "'acoustic'? legal: embedding, acoustic, visual"
    )


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (plain({"kind": "guided_emd", "layer": "fc9"}), "terms.1.layer is 'fc9', .* did you mean 'fc2'. legal: emb"),
        (plain({"kind": "matching", "between": ["audio", "fc2"]}), "terms.1.between names 'audio', .* legal: embeddin"),
        (
            plain({"kind": "guided_emd"}, features={"kind": "faces"}, encoder={"kind": "image"}),
            r"terms.1.layer is 'fc2', and this net has no such layer; legal: embedding, features$",
        ),
        (values(terms=[{"kind": "guided_emd"}]), "terms.0.layer is 'fc2', .* legal: embedding, acoustic, visual$"),
    ],
)
def test_layers_that_are_not_there(given, told):
    with pytest.raises(InputError, match=told):
        make_recipe(given)


def test_layers_are_those_of_the_nets():
    made = {
        ConvPoolEncoder(hidden=6): ConvPool(4, 2, hidden=6),
        SpeechEncoder(kind="speech", dimensions=6): SpeechNet(4, 2, dimensions=6),
        MLPEncoder(kind="mlp", hidden=6): MLP(4, 2, hidden=6),
        ImageEncoderEntry(kind="image", dimensions=6): ImageEncoder("resnet18", 1, 2, dimensions=6, width=0.1),
    }
    for entry, net in made.items():
        told = layer_sizes(entry, {})
        assert list(told) == list(net.sizes)
        assert all(size in (None, net.sizes[name]) for name, size in told.items())


@pytest.mark.parametrize(
    ("convolutions", "visual", "told"),
    [
        ([[9, 1, 0, 2]], {}, "convolution 1 has a kernel of 9, .* of 8 frames x 16 dimensions padded by 0; .* most 8:"),
        ([[4, 2, 1, 2], [7, 1, 1, 2]], {}, "convolution 2 has a kernel of 7, .* 4 frames x 8 dimensions .* most 6:"),
        ([[5, 1, 0, 2]], {"pixels": 2}, "of 8 frames x 4 dimensions"),
        ([[9, 1, 0, 2]], {"run": "faces"}, "of 8 frames padded by 0; its kernel may be at most 8:"),
    ],
)
def test_a_convolution_that_leaves_nothing_is_refused_as_far_as_sizes_are_known(convolutions, visual, told):
    with pytest.raises(InputError, match=r"modalities\.visual\.net: .*" + told):
        make_recipe(values(convolutions, visual))


def test_a_width_that_only_a_net_of_ones_own_tells_is_left_to_it():
    assert make_recipe(values([[5, 1, 0, 2]], {"pixels": 2, "run": "faces"}))


def test_nothing_is_made_again_of_a_single_modality():
    with pytest.raises(InputError, match="the term reconstruction makes modalities again, and there are none; give "):
        make_recipe(plain({"kind": "reconstruction"}))
