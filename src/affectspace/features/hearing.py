"""What a training clip sounds like this time: a function of the seed, the epoch, the item and its role."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from affectspace.errors import InputError
from affectspace.features.augment import Augmentation, Masks, generator
from affectspace.features.log_mel import LogMel
from affectspace.features.normalise import Normaliser
from affectspace.features.waveform import Waveform

__all__ = ["Hearing"]


class Hearing:
    """The training clips as an epoch hears them: augmented, made into features, normalised, masked.

    What is heard is a function of (seed, epoch, the item's key, role) and of nothing else: not of the order in
    which items are asked for, of the process, or of what was heard before. So a run that goes on hears the same.

    An augmented clip is normalised as new audio would be: by the statistics of its group's clean training items,
    or by its own, as it now sounds, where the scope is ``"item"``. Masks come last, so that they set what they
    cover to the mean.

    Args:
        seed: of the run.
        share: the chance that a clip is changed at all; else it is heard as it is.
        augmentation: what happens to samples; None: nothing.
        masks: what happens to features; None: nothing.
        frontend: makes features of changed samples.
        clips: the features ``(frames, bands)`` of each item as it is.
        samples: what :class:`Waveform` keeps of each item; None where ``augmentation`` is.
        normaliser: the mean and scale of each item.
        keys: the name of each item.

    Example:
        >>> clips = [np.zeros((98, 40), np.float32)]
        >>> masks = Masks(time_masks=1, time_width=9)
        >>> hear = Hearing(0, 1.0, None, masks, LogMel(), clips, None, Normaliser("none"), ["corpus/a"])
        >>> hear(row=0, epoch=3, role="anchor").shape
        (98, 40)
    """

    def __init__(
        self,
        seed: int,
        share: float,
        augmentation: Augmentation | None,
        masks: Masks | None,
        frontend: LogMel,
        clips: Sequence[np.ndarray],
        samples: Sequence[np.ndarray] | None,
        normaliser: Normaliser,
        keys: Iterable[str],
    ):
        if augmentation is not None and samples is None:
            raise InputError("augmentation changes samples, and there are none; gather them with the features")
        self.seed, self.share = seed, share
        self.augmentation, self.masks = augmentation, masks
        self.frontend, self.clips, self.samples = frontend, clips, samples
        self.normaliser, self.keys = normaliser, list(keys)
        self._scales: dict[int, tuple[Any, Any]] = {}  # an item's own statistics cost more than its masks

    def __call__(self, row: int, epoch: int, role: str) -> np.ndarray:
        """Normalised features, float32 ``(frames, bands)``, of the item in ``row``.

        Args:
            row: of the items.
            epoch: any whole number.
            role: why the item is in the batch; in another role it is heard in another way.
        """
        random = generator(self.seed, epoch, role, self.keys[row])
        changed = random.random() < self.share
        if changed and self.augmentation is not None and self.samples is not None:
            heard = self.augmentation(Waveform.restore(self.samples[row]), random)
            values = self.frontend.compute(heard)
            # The statistics of the item's own group; only the scope "item" looks at what is heard.
            own = self.normaliser.scope == "item"
            mean, scale = self.normaliser.of_new(values) if own else self._clean(row)
        else:
            values = self.clips[row]
            mean, scale = self._clean(row)
        values = ((values - mean) / scale).astype(np.float32, copy=False)
        return self.masks(values, random) if changed and self.masks is not None else values

    def _clean(self, row: int) -> tuple[Any, Any]:
        if row not in self._scales:
            self._scales[row] = self.normaliser(row)
        return self._scales[row]
