"""Arrays to embeddings."""

from affectspace.encoders.batch import Batch, Modality, pad
from affectspace.encoders.conv_pool import ConvPool
from affectspace.encoders.image_net import IMAGE_NETS, ImageEncoder
from affectspace.encoders.mlp import MLP
from affectspace.encoders.outputs import Outputs
from affectspace.encoders.pooling import pooled_convolution
from affectspace.encoders.pretrained_images import PretrainedImages

__all__ = [
    "IMAGE_NETS", "MLP", "Batch", "ConvPool", "ImageEncoder", "Modality", "Outputs", "PretrainedImages", "pad",
    "pooled_convolution",
]  # fmt: skip
