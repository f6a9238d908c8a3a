"""Arrays to embeddings."""

from affectspace.encoders.adapted_speech import AdaptedSpeech
from affectspace.encoders.attentive_pooling import AttentiveStatistics
from affectspace.encoders.batch import Batch, Modality, pad
from affectspace.encoders.conv_pool import ConvPool
from affectspace.encoders.frames import present_vectors, reversed_frames
from affectspace.encoders.image_net import IMAGE_NETS, ImageEncoder
from affectspace.encoders.layer_mix import LayerMix, MixedLayers
from affectspace.encoders.linear_autoencoder import LinearAutoencoder
from affectspace.encoders.mlp import MLP
from affectspace.encoders.multimodal import Autoencoder, MultimodalEncoder
from affectspace.encoders.outputs import Outputs
from affectspace.encoders.pooling import pooled_convolution
from affectspace.encoders.pretrained_images import PretrainedImages
from affectspace.encoders.sequence_autoencoder import SequenceAutoencoder
from affectspace.encoders.speech_net import SpeechNet
from affectspace.encoders.speech_source import SpeechSource, open_speech_source
from affectspace.encoders.speech_trunk import SpeechTrunk

__all__ = [
    "IMAGE_NETS", "MLP", "AdaptedSpeech", "AttentiveStatistics", "Autoencoder", "Batch", "ConvPool", "ImageEncoder",
    "LayerMix", "LinearAutoencoder", "MixedLayers", "Modality", "MultimodalEncoder", "Outputs", "PretrainedImages",
    "SequenceAutoencoder", "SpeechNet", "SpeechSource", "SpeechTrunk", "open_speech_source", "pad",
    "pooled_convolution", "present_vectors", "reversed_frames",
]  # fmt: skip
