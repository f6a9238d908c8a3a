"""Whether the net of a recipe reads what its features are, where one of the two is of a speech model."""

from affectspace.training.recipe_encoder import ConvPoolEncoder, Encoder, LayerMixEntry, PretrainedSpeechEntry
from affectspace.training.recipe_features import Features, PretrainedSpeechFeatures, WaveformFeatures

__all__ = ["refuse_unread_speech"]


def refuse_unread_speech(features: Features, encoder: Encoder) -> None:
    """Stop where a net would hear or read what is not there, or look for frames where there are none.

    Raises:
        ValueError: it names both kinds and what would be legal.

    Example:
        >>> from affectspace.training.recipe_features import LogMelFeatures
        >>> refuse_unread_speech(LogMelFeatures(), LayerMixEntry(kind="layer_mix"))
        Traceback (most recent call last):
        ...
        ValueError: encoder.kind "layer_mix" reads the hidden states of a speech model, and features.kind 'log_mel' ...
    """
    hears = isinstance(encoder, PretrainedSpeechEntry)
    if hears != isinstance(features, WaveformFeatures):
        raise ValueError(
            f'encoder.kind "pretrained_speech" hears samples, and features.kind {features.kind!r} gives none; use '
            'features.kind = "waveform", or for hidden states that are made once encoder.kind = "layer_mix"'
            if hears
            else f'features.kind "waveform" gives samples, which encoder.kind {encoder.kind!r} cannot read; use '
            'encoder.kind = "pretrained_speech", or other features'
        )
    if not isinstance(features, PretrainedSpeechFeatures):
        if isinstance(encoder, LayerMixEntry):
            raise ValueError(
                'encoder.kind "layer_mix" reads the hidden states of a speech model, and features.kind '
                f'{features.kind!r} gives none; use features.kind = "pretrained_speech", or another encoder'
            )
        return
    if features.pool == "none":
        return
    if isinstance(encoder, ConvPoolEncoder):
        raise ValueError(
            "encoder.kind 'conv_pool' reads frames in time, and features.pool = \"mean\" keeps none; use "
            'encoder.kind = "layer_mix", or features.pool = "none"'
        )
    if isinstance(encoder, LayerMixEntry) and encoder.pooling == "attentive":
        raise ValueError(
            'encoder.pooling = "attentive" looks at frames in time, and features.pool = "mean" keeps none; use '
            'features.pool = "none", or encoder.pooling = "mean"'
        )
