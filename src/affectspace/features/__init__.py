"""Media to arrays, the store that keeps them, and their normalisation."""

from affectspace.features.augment import Augmentation, Masks
from affectspace.features.extract import Frontend
from affectspace.features.features import Features
from affectspace.features.functionals import Functionals
from affectspace.features.hearing import Hearing
from affectspace.features.log_mel import LogMel, log_mel
from affectspace.features.normalise import Normaliser, Statistics
from affectspace.features.store import FeatureStore
from affectspace.features.vectors import VectorTable
from affectspace.features.views import Views
from affectspace.features.waveform import Waveform

__all__ = [
    "Augmentation", "FeatureStore", "Features", "Frontend", "Functionals", "Hearing", "LogMel", "Masks", "Normaliser",
    "Statistics", "VectorTable", "Views", "Waveform", "log_mel",
]  # fmt: skip
