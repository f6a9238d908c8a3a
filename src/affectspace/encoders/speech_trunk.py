"""A speech model of ``transformers`` from samples to hidden states, in which padding has no part."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from affectspace.encoders.pretrained import FAULTS, first_line, opening
from affectspace.encoders.speech_source import SAMPLE_RATE, SpeechSource
from affectspace.encoders.whisper_mel import whisper_log_mel
from affectspace.errors import InputError

__all__ = ["SpeechTrunk"]

TOGETHER = 60 * SAMPLE_RATE  # samples that go through the model at a time, padding included: its first layers are large


class SpeechTrunk(nn.Module):
    """The reading half of a speech model, and its own preparation of sound.

    Hidden state 0 is what the first block reads, state i what block i gives; the last one is what the model gives,
    with its last normalisation where it has one. Blocks above the highest state that is asked for are left out.

    The model answers as in evaluation, whatever the mode of what it is a part of: nothing is masked, dropped or left
    out at random. Sound is brought to mean 0 and variance 1, clip by clip, where the model's settings say so.

    **Padding.** Where the model itself leaves padding out of everything, clips of any length may be run together, with
    an attention mask. Where it does not (wav2vec 2.0, HuBERT and WavLM whose first convolution is normalised over
    the whole clip, as in their base sizes; data2vec), only clips of one length may. On a CPU none are padded: of clips
    of 2 to 4 s a batch took a third more time than one clip after the other. **Whisper** hears windows of 30 s: a clip
    is divided into such windows, the last one filled with silence, and the frames of the clip are kept.

    Args:
        source: of the model.
        layers: the hidden states that are wanted; None: all of them.

    Shape:
        samples ``(items, longest)`` in [-1, 1], lengths ``(items,)`` of items that may be run together: states
        ``(items, frames, layers, width)``, zeros behind the end of a clip, and how many frames each has ``(items,)``.

    Raises:
        InputError: weights that cannot be opened or are missing, a hidden state that the model does not have.
    """

    def __init__(self, source: SpeechSource, layers: Sequence[int] | None = None):
        super().__init__()
        self.source, self.layers = source, source.chosen(layers)
        self.model = _opened(source)
        self.whole = max(self.layers) == source.blocks
        if not self.whole:
            del self.blocks[max(max(self.layers), 1) :]  # one is kept, as it is the first that is looked at
        self.filters: Tensor | None
        self.register_buffer("filters", _filters(source), persistent=False)
        self.eval()

    @property
    def blocks(self) -> nn.ModuleList:
        """Those that are run, the first one first."""
        return self.model.layers if self.source.family == "whisper" else self.model.encoder.layers

    def train(self, mode: bool = True) -> "SpeechTrunk":
        """The model stays as in evaluation."""
        return super().train(False)

    def together(self, lengths: Sequence[int]) -> list[list[int]]:
        """Items in groups that are best run together, the shortest first.

        Args:
            lengths: of each item, in samples.
        """
        pads = self.source.masks and next(self.model.parameters()).device.type != "cpu"
        groups: list[list[int]] = []
        for row in sorted(range(len(lengths)), key=lambda row: lengths[row]):
            last = groups[-1] if groups else []
            alike = last and (pads or self.source.window or lengths[row] == lengths[last[-1]])
            if alike and (len(last) + 1) * self._heard(lengths[row]) <= TOGETHER:
                last.append(row)
            else:
                groups.append([row])
        return groups

    def forward(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        inside = torch.arange(samples.shape[1], device=samples.device) < lengths[:, None]
        samples = samples.to(next(self.model.parameters()).dtype).masked_fill(~inside, 0)
        counts = [self.source.frames(length) for length in lengths.tolist()]
        if self.source.settings.get("do_normalize", self.source.window is None):
            samples = _normalised(samples, inside, lengths)
        if self.source.window:
            states = self._windows(samples, lengths.tolist())
        else:
            mask = inside.long() if self.source.masks and not bool(inside.all()) else None
            states = self._states(input_values=samples, attention_mask=mask)
        states = states[:, : max(counts)]
        frames = torch.tensor(counts, device=samples.device)
        within = torch.arange(states.shape[1], device=samples.device) < frames[:, None]
        return states.masked_fill(~within[..., None, None], 0), frames

    def _windows(self, samples: Tensor, lengths: Sequence[int]) -> Tensor:
        """The frames of all windows of each clip, one behind the other."""
        window, settings = self.source.window, self.source.settings
        assert window is not None, "asked before"
        assert self.filters is not None, "made for this family"
        windows = functional.pad(samples, (0, -samples.shape[1] % window)).unflatten(1, (-1, window))
        # of a short clip beside a long one the windows that it fills, as silence would be work for nothing
        heard = torch.tensor([[start < length for start in range(0, windows.shape[1] * window, window)]
                              for length in lengths], device=samples.device)  # fmt: skip
        mel = whisper_log_mel(windows[heard], self.filters, settings["n_fft"], settings["hop_length"])
        found = self._states(input_features=mel)
        states = found.new_zeros(*heard.shape, *found.shape[1:])
        states[heard] = found
        return states.flatten(1, 2)

    def _states(self, **inputs: Any) -> Tensor:
        """``(items, frames, layers, width)``."""
        with _watched(self.blocks) as states, warnings.catch_warnings():
            # WavLM adds numbers to its attention and masks by truth values, which torch takes, but not gladly
            warnings.filterwarnings("ignore", "Support for mismatched key_padding_mask")
            last = self.model(**inputs).last_hidden_state
        if self.whole:
            states[-1] = last
        return torch.stack([states[layer] for layer in self.layers], 2)

    def _heard(self, length: int) -> int:
        window = self.source.window
        return length if window is None else -(-length // window) * window


@contextmanager
def _watched(blocks: nn.ModuleList) -> Iterator[list[Tensor]]:
    """What the first block reads, and then what each gives."""
    states: list[Tensor] = []

    def before(block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        states.append(args[0] if args else kwargs["hidden_states"])

    def behind(block: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        states.append(output[0] if isinstance(output, tuple) else output)

    hooks = [blocks[0].register_forward_pre_hook(before, with_kwargs=True)]
    hooks += [block.register_forward_hook(behind) for block in blocks]
    try:
        yield states
    finally:
        for hook in hooks:
            hook.remove()


def _normalised(samples: Tensor, inside: Tensor, lengths: Tensor) -> Tensor:
    """Mean 0 and variance 1 of each clip, as feature extractors of ``transformers`` make them."""
    count = lengths[:, None]
    mean = samples.sum(1, keepdim=True) / count
    samples = (samples - mean).masked_fill(~inside, 0)
    return samples / (samples.square().sum(1, keepdim=True) / count + 1e-7).sqrt()


def _filters(source: SpeechSource) -> Tensor | None:
    """The triangular filters of Whisper's log-Mel energies, ``(frequencies, bands)``."""
    if source.family != "whisper":
        return None
    from transformers.audio_utils import mel_filter_bank  # pyright: ignore[reportMissingImports]

    made = mel_filter_bank(
        1 + source.settings["n_fft"] // 2, source.config.num_mel_bins, 0.0, SAMPLE_RATE / 2, SAMPLE_RATE,
        norm="slaney", mel_scale="slaney",
    )  # fmt: skip
    return torch.from_numpy(made).float()


@contextmanager
def _quietly() -> Iterator[None]:
    """No bar for the weights, and no report of those that are left out on purpose."""
    from transformers.utils import logging  # pyright: ignore[reportMissingImports]

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _opened(source: SpeechSource) -> Any:
    """The model with the weights of its source, of Whisper the half that reads."""
    from transformers import AutoModel  # pyright: ignore[reportMissingImports]

    with opening(source.name), _quietly(), torch.random.fork_rng([]):  # what is drawn for it is nobody else's affair
        model, told = AutoModel.from_pretrained(
            source.folder, config=source.config, use_safetensors=True, output_loading_info=True,
            trust_remote_code=False,
        )  # fmt: skip
    if missing := sorted(key for key in told["missing_keys"] if not key.startswith("decoder.")):
        raise InputError(
            f"{source.name} lacks {len(missing)} of its weights, {missing[0]} for one; give the folder as "
            "save_pretrained has written it"
        )
    model = model.encoder if source.family == "whisper" else model
    try:
        return model.float()  # samples come in float32, and many models are published in half precision
    except FAULTS as error:
        raise InputError(f"{source.name} cannot be used in float32: {first_line(error)}") from error
