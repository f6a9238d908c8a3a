"""Arrays to embeddings."""

from affectspace.encoders.attentive_pooling import AttentiveStatistics
from affectspace.encoders.batch import Batch, Modality, pad
from affectspace.encoders.conv_pool import ConvPool
from affectspace.encoders.frames import present_vectors, reversed_frames
from affectspace.encoders.image_net import IMAGE_NETS, ImageEncoder
from affectspace.encoders.linear_autoencoder import LinearAutoencoder
from affectspace.encoders.mlp import MLP
from affectspace.encoders.multimodal import Autoencoder, MultimodalEncoder
from affectspace.encoders.outputs import Outputs
from affectspace.encoders.pooling import pooled_convolution
from affectspace.encoders.pretrained_images import PretrainedImages
from affectspace.encoders.sequence_autoencoder import SequenceAutoencoder
from affectspace.encoders.speech_net import SpeechNet

__all__ = [
    "IMAGE_NETS", "MLP", "AttentiveStatistics", "Autoencoder", "Batch", "ConvPool", "ImageEncoder",
    "LinearAutoencoder", "Modality", "MultimodalEncoder", "Outputs", "PretrainedImages", "SequenceAutoencoder",
    "SpeechNet", "pad", "pooled_convolution", "present_vectors", "reversed_frames",
]  # fmt: skip
