"""Text models of others: what they read, what a word's vector is, and what is refused."""

import importlib.util
import json
import pickle
import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from affectspace.encoders.hub import hub_files
from affectspace.errors import InputError, MediaError
from affectspace.features import FeatureStore, PretrainedText

needs_transformers = pytest.mark.skipif(
    importlib.util.find_spec("transformers") is None, reason="transformers is not installed"
)
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "i", "know", "##ing", "'", "t", "don", "you", "!", ",", "Un", "##known"]


def save_tokenizer(folder, **settings):
    """WordPiece over a dozen pieces, which divides texts as BERT does."""
    transformers, tokenizers = pytest.importorskip("transformers"), pytest.importorskip("tokenizers")
    from tokenizers import models, pre_tokenizers, processors

    made = tokenizers.Tokenizer(models.WordPiece({p: k for k, p in enumerate(PIECES)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    kept = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    transformers.PreTrainedTokenizerFast(tokenizer_object=made, **kept, **settings).save_pretrained(folder)


def save(folder, **settings):
    """A tiny BERT with random weights."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(PIECES), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
        max_position_embeddings=40,
    )  # fmt: skip
    model = transformers.BertModel(config).eval()
    model.save_pretrained(folder)
    save_tokenizer(folder, **settings)
    return model


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bert")
    return folder, save(folder)


@pytest.fixture
def publish(tmp_path, monkeypatch):
    """``publish(folder, commit)``: makes it the newest in the cache of a hub that is not reached."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    cache = tmp_path / "cache/models--nobody--reader"
    (cache / "refs").mkdir(parents=True)

    def published(folder, commit):
        shutil.copytree(folder, cache / "snapshots" / commit)
        (cache / "refs/main").write_text(commit)
        return cache / "snapshots" / commit

    return published


@needs_transformers
def test_of_one_on_the_hub_the_files_are_told_of_the_commit_that_was_opened(bert, publish):
    folder, _ = bert
    first = publish(folder, "a" * 40)
    reader = PretrainedText("nobody/reader")
    publish(folder, "b" * 40)  # meanwhile
    told = reader.hub_files
    assert [file.name for file in told] == ["config.json", "model.safetensors", "tokenizer.json"]
    assert {file.parent for file in told} == {first}
    assert np.array_equal(reader("i know"), PretrainedText(folder)("i know"))
    assert PretrainedText(folder).hub_files == []


@needs_transformers
def test_so_are_weights_in_several_files(bert, publish):
    folder, _ = bert
    first = publish(folder, "a" * 40)
    (first / "model.safetensors").rename(first / "model-00001-of-00001.safetensors")
    index = {"weight_map": {"a": "model-00001-of-00001.safetensors", "b": "model-00001-of-00001.safetensors"}}
    (first / "model.safetensors.index.json").write_text(json.dumps(index))
    names = [file.name for file in hub_files("nobody/reader", "a" * 40, "tokenizer.json")]
    assert names == ["config.json", "tokenizer.json", "model-00001-of-00001.safetensors"]


def states(model, *pieces):
    """The last hidden states of pieces between [CLS] and [SEP], by hand."""
    ids = torch.tensor([[2, *(PIECES.index(piece) for piece in pieces), 3]])
    with torch.no_grad():
        return model(input_ids=ids).last_hidden_state[0, 1:-1].numpy()


@needs_transformers
def test_a_word_is_the_mean_of_its_pieces_as_the_model_reads_them_in_the_sentence(bert):
    folder, model = bert
    made = PretrainedText(folder)("i don't, knowing you! Unknown")
    by_hand = states(model, "i", "don", "'", "t", ",", "know", "##ing", "you", "!", "Un", "##known")
    words = [by_hand[:1], by_hand[1:4], by_hand[5:7], by_hand[7:8], by_hand[9:]]
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, np.stack([word.mean(axis=0) for word in words]), atol=1e-5)


@needs_transformers
def test_the_first_words_are_kept_and_the_rest_is_still_read(bert):
    folder, _ = bert
    whole, begun = PretrainedText(folder)("you know i know"), PretrainedText(folder, words=2)("you know i know")
    assert whole.shape == (4, 16)
    assert np.array_equal(begun, whole[:2])
    assert not np.allclose(PretrainedText(folder)("you know"), begun, atol=1e-4)


@needs_transformers
def test_a_text_longer_than_the_model_reads_is_cut(bert):
    folder, model = bert
    made = PretrainedText(folder, words=100)("you know " * 99)
    np.testing.assert_allclose(made, states(model, *["you", "know"] * 18), atol=1e-5)  # 40 places less four


@needs_transformers
def test_the_store_holds_what_texts_give_alone(bert, tmp_path):
    folder, _ = bert
    texts = {"a": "i know", "b": "you", "c": "!,", "d": None, "e": "i know"}
    media = pd.DataFrame({"id": list(texts), "path": list(texts.values())})
    frontend = PretrainedText(folder)
    features = FeatureStore(tmp_path).extract(media, frontend, max_bad_share=0.5)
    assert features.dimensions == frontend.dimensions == 16
    assert all(np.array_equal(features[item], frontend(texts[item])) for item in "abe")
    assert features.audio_sha[0] == features.audio_sha[2] != features.audio_sha[1]
    assert dict(zip(features.quarantine["id"], features.quarantine["reason"])) == {
        "c": "the text '!,' holds no word that the model reads; leave the item out",
        "d": "the item has no text",
    }
    with pytest.raises(MediaError, match="the text is empty"):
        frontend(" ")


@needs_transformers
def test_the_fingerprint_follows_the_content_and_not_the_place(bert, tmp_path):
    folder, _ = bert
    first = PretrainedText(folder)
    model = save(tmp_path / "same")
    assert PretrainedText(tmp_path / "same").fingerprint == first.fingerprint
    assert str(tmp_path) not in first.fingerprint
    assert PretrainedText(folder, words=3).fingerprint != first.fingerprint
    with torch.no_grad():
        model.embeddings.word_embeddings.weight[5] += 1
    model.save_pretrained(tmp_path / "other")
    save_tokenizer(tmp_path / "other")
    assert PretrainedText(tmp_path / "other").fingerprint != first.fingerprint
    sent = pickle.dumps(first)
    assert len(sent) < 1000
    assert pickle.loads(sent).fingerprint == first.fingerprint


@needs_transformers
def test_a_model_that_is_saved_in_place_of_another_is_opened(tmp_path):
    model, before = save(tmp_path), PretrainedText(tmp_path)
    vectors, told = before("i know"), before.fingerprint
    with torch.no_grad():
        model.embeddings.word_embeddings.weight[4, :8] += 1
    model.save_pretrained(tmp_path)
    after = PretrainedText(tmp_path)
    assert after.fingerprint != told
    assert not np.allclose(after("i know"), vectors)


@needs_transformers
def test_a_pooler_that_is_missing_changes_nothing(bert, tmp_path):
    """Without one in the file, each opening would make another at random."""
    from safetensors.torch import load_file, save_file

    folder, _ = bert
    save(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    without = {name: value for name, value in weights.items() if "pooler" not in name}
    assert len(without) < len(weights)
    save_file(without, tmp_path / "model.safetensors", {"format": "pt"})
    assert PretrainedText(tmp_path).fingerprint == PretrainedText(folder).fingerprint
    fewer = {name: value for name, value in without.items() if "layer.1." not in name}
    (tmp_path / "fewer").mkdir()
    save_file(fewer, tmp_path / "fewer" / "model.safetensors", {"format": "pt"})
    (tmp_path / "fewer" / "config.json").write_text((tmp_path / "config.json").read_text())
    with pytest.raises(InputError, match=r"fewer lacks 16 of its weights, encoder\.layer\.1\..* for one; give the"):
        PretrainedText(tmp_path / "fewer")


@needs_transformers
def test_of_a_model_that_also_writes_the_half_that_reads_is_used(tmp_path):
    transformers = pytest.importorskip("transformers")
    config = transformers.T5Config(
        vocab_size=len(PIECES), d_model=16, d_kv=8, d_ff=24, num_layers=1, num_heads=2, decoder_start_token_id=0
    )
    model = transformers.T5Model(config).eval()
    model.save_pretrained(tmp_path)
    save_tokenizer(tmp_path, model_input_names=["input_ids", "attention_mask"])
    with torch.no_grad():
        by_hand = model.encoder(input_ids=torch.tensor([[2, 4, 5, 3]])).last_hidden_state[0, 1:3]
    np.testing.assert_allclose(PretrainedText(tmp_path)("i know"), by_hand.numpy(), atol=1e-5)


@needs_transformers
def test_models_that_cannot_be_used(tmp_path):
    transformers = pytest.importorskip("transformers")
    save(tmp_path / "bare")
    for file in (tmp_path / "bare").glob("*token*"):
        file.unlink()
    with pytest.raises(InputError, match=r"bare has .*tokenizer.*; save the model's own tokenizer beside it"):
        PretrainedText(tmp_path / "bare")
    transformers.CanineTokenizer().save_pretrained(tmp_path / "bare")
    with pytest.raises(InputError, match=r"bare has CanineTokenizer, which does not tell the place of its pieces"):
        PretrainedText(tmp_path / "bare")
    config = transformers.ViTConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, image_size=8, patch_size=4
    )
    transformers.ViTModel(config).save_pretrained(tmp_path / "sees")
    save_tokenizer(tmp_path / "sees")
    with pytest.raises(InputError, match=r"sees cannot read a text: .*; give a model of texts"):
        PretrainedText(tmp_path / "sees")
    (tmp_path / "bare" / "model.safetensors").rename(tmp_path / "bare" / "pytorch_model.bin")
    with pytest.raises(InputError, match="has no safetensors, and other formats of weights may run code"):
        PretrainedText(tmp_path / "bare")
    (tmp_path / "bare" / "model.safetensors").write_bytes(b"junk")
    (tmp_path / "bare" / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(InputError, match="cannot be opened as a model with safetensors"):
        PretrainedText(tmp_path / "bare")
    with pytest.raises(InputError, match=r"there is no folder .*nowhere; give one with a saved model"):
        PretrainedText(tmp_path / "nowhere")


@needs_transformers
def test_words_are_at_least_one(bert):
    with pytest.raises(InputError, match="words is 0; give how many words of a text are kept, at least 1"):
        PretrainedText(bert[0], words=0)


def test_without_transformers_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'not installed; pip install "affectspace\[pretrained\]"'):
        PretrainedText(tmp_path)
