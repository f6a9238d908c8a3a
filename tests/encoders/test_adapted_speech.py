"""Speech models adapted by LoRA: what learns, what stays, and what is kept."""

import importlib.util

import pytest
import torch

from affectspace.encoders import AdaptedSpeech, Batch, LayerMix, SpeechTrunk, open_speech_source, pad
from affectspace.errors import InputError
from affectspace.losses import SoftCrossEntropyLoss, SupervisedContrastiveLoss

KINDS = (
    "wav2vec2 group", "wav2vec2 layer", "hubert group", "hubert layer", "wavlm group", "wavlm layer",
    "unispeech-sat group", "data2vec-audio", "whisper",
)  # fmt: skip
TARGETS = torch.eye(3)[[0, 1, 1, 0, 1]]


def net(folder, **settings):
    torch.manual_seed(0)
    return AdaptedSpeech(folder, **{"classes": 3, "dimensions": 5, "rank": 4, **settings})


def batch(*lengths):
    generator = torch.Generator().manual_seed(1)
    return Batch(*pad([torch.randint(-4000, 4000, (length, 1), generator=generator).float() for length in lengths]))


CLIPS = (3000, 777, 2000, 3000, 1500)


def learn(encoder, steps, rate=0.05):
    """So many steps by two losses, of predictions and of embeddings."""
    optimiser = torch.optim.SGD([each for each in encoder.parameters() if each.requires_grad], rate)
    for _ in range(steps):
        optimiser.zero_grad()
        outputs = encoder(batch(*CLIPS))
        loss = SoftCrossEntropyLoss()(outputs.logits, TARGETS) + SupervisedContrastiveLoss()(outputs.embedding, TARGETS)
        loss.backward()
        optimiser.step()
    return {name: value.grad for name, value in encoder.named_parameters()}


@pytest.mark.parametrize("kind", KINDS)
def test_every_adapter_learns_and_nothing_of_the_model(lay_speech_model, kind):
    encoder = net(lay_speech_model(kind))
    before = {name: value.clone() for name, value in encoder.trunk.named_parameters() if ".lora_" not in name}
    first = learn(encoder.train(), steps=1)
    adapters = [name for name in first if ".lora_" in name]
    assert len(adapters) == 3 * 2 * 2  # blocks, layers of each, A and B
    # what B begins as hides A from the loss, and it is the other way round once B has moved
    assert all(first[name].abs().max() > 1e-6 for name in adapters if ".lora_B." in name)
    assert not any(first[name].any() for name in adapters if ".lora_A." in name)
    second = learn(encoder, steps=1)
    assert all(second[name].abs().max() > 1e-9 for name in adapters)
    assert {name for name, gradient in second.items() if gradient is None} == {f"trunk.{name}" for name in before}
    assert all(second[name].any() for name in ("mixed.scores", "head.embedding.weight", "head.output.weight"))
    after = dict(encoder.trunk.named_parameters())
    assert all(torch.equal(after[name], value) for name, value in before.items())


@pytest.mark.parametrize("kind", ["wavlm layer", "whisper"])
def test_it_begins_as_the_model_that_is_frozen(lay_speech_model, kind):
    """An adapter begins as nothing, so its hidden states are those that could be made once."""
    encoder, source = net(lay_speech_model(kind), layers=[1, 3]), open_speech_source(lay_speech_model(kind))
    trunk, made = SpeechTrunk(source, [1, 3]), batch(*CLIPS)
    fixed = LayerMix(32, 2, 3, 5, frames=True)
    fixed.load_state_dict({name: value for name, value in encoder.state_dict().items() if "trunk" not in name})
    for row, length in enumerate(CLIPS):
        with torch.no_grad():
            states, frames = trunk(made.values[row : row + 1, :length, 0] / 32768, torch.tensor([length]))
            alone = fixed(Batch(states.flatten(2), frames))
            torch.testing.assert_close(encoder(made).embedding[row], alone.embedding[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", ["wavlm group", "wavlm layer", "whisper"])
def test_a_clip_is_the_same_alone_and_beside_others(lay_speech_model, kind):
    encoder, made = net(lay_speech_model(kind), pooling="attentive"), batch(*CLIPS)
    learn(encoder, steps=3)
    with torch.no_grad():
        together = encoder(made)
        order = torch.tensor([4, 2, 0, 1, 3])
        mixed = encoder(Batch(made.values[order], made.lengths[order]))
        torch.testing.assert_close(mixed.embedding, together.embedding[order], atol=1e-5, rtol=0)
        for row, length in enumerate(CLIPS):
            alone = encoder(Batch(made.values[row : row + 1, :length], made.lengths[row : row + 1]))
            torch.testing.assert_close(alone.logits[0], together.logits[row], atol=1e-5, rtol=0)


def test_a_state_holds_what_learns_and_makes_the_net_again(lay_speech_model):
    encoder = net(lay_speech_model("hubert group"))
    learn(encoder, steps=2)
    state = encoder.state_dict()
    assert {*state} == {name for name, value in encoder.named_parameters() if value.requires_grad}
    again = net(lay_speech_model("hubert group"))
    with torch.no_grad():
        assert not torch.allclose(again(batch(*CLIPS)).logits, encoder(batch(*CLIPS)).logits)
        again.load_state_dict(state)
        assert torch.equal(again(batch(*CLIPS)).logits, encoder(batch(*CLIPS)).logits)
    with pytest.raises(RuntimeError, match="lora_A"):
        again.load_state_dict({name: value for name, value in state.items() if "lora_A" not in name})
    with pytest.raises(RuntimeError, match=r"layers\.7"):
        again.load_state_dict({**state, "trunk.model.encoder.layers.7.x.lora_A": torch.zeros(1)})


def test_the_model_is_never_in_training(lay_speech_model):
    """wav2vec 2.0 would mask and leave out at random, by numbers that no checkpoint holds."""
    encoder = net(lay_speech_model("wav2vec2 layer")).train()
    assert encoder.head.training
    assert not any(module.training for module in encoder.trunk.modules())
    assert torch.equal(encoder(batch(*CLIPS)).logits, encoder(batch(*CLIPS)).logits)


def test_blocks_that_no_layer_is_behind_have_no_adapters(lay_speech_model):
    encoder = net(lay_speech_model("wavlm layer"), layers=[0, 2])
    gradients = learn(encoder, steps=2)
    adapters = [name for name in gradients if ".lora_" in name]
    assert len(adapters) == 2 * 2 * 2
    assert all(gradients[name].any() for name in adapters)
    assert encoder.mixed.weights.shape == (2,)


def test_alpha_counts_by_the_rank(lay_speech_model):
    """Twice the alpha, or half the rank, is twice the answer of the same adapters."""
    folder, found = lay_speech_model("hubert layer"), []
    for rank, alpha in ((4, 8.0), (4, 16.0)):
        encoder = net(folder, rank=rank, alpha=alpha, layers=[1])
        with torch.no_grad():
            for name, value in encoder.named_parameters():
                if "output_dense.lora_B" in name:
                    value.fill_(0.01)
            clip = batch(2000)
            bare = SpeechTrunk(open_speech_source(folder), [1])(clip.values[..., 0] / 32768, clip.lengths)[0]
            own = encoder.trunk(clip.values[..., 0] / 32768, clip.lengths)[0]
        found.append(own - bare)
    assert found[0].abs().max() > 1e-3
    torch.testing.assert_close(2 * found[0], found[1], atol=1e-5, rtol=1e-3)  # the block's second layer is its last


def test_equal_seeds_give_equal_nets(lay_speech_model):
    first, again = (net(lay_speech_model("wavlm group")).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_what_cannot_be_made(lay_speech_model, monkeypatch):
    folder = lay_speech_model("wavlm layer")
    with pytest.raises(ValueError, match=r"layers is \[0\], below which there is no block to adapt; name a higher one"):
        net(folder, layers=[0])
    with pytest.raises(InputError, match=r"layers is an empty list, and .* has the hidden states 0 to 3"):
        net(folder, layers=[])
    with pytest.raises(InputError, match=r"layers is \[9\], and .* has the hidden states 0 to 3"):
        net(folder, layers=[9])
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "peft" else find(name, *rest))
    with pytest.raises(InputError, match=r'LoRA needs peft, not installed; pip install "affectspace\[pretr'):
        net(folder)
