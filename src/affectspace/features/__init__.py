"""Media to arrays, the store that keeps them, and their normalisation."""

from affectspace.features.extract import Frontend
from affectspace.features.features import Features
from affectspace.features.log_mel import LogMel, log_mel
from affectspace.features.normalise import Normaliser, Statistics
from affectspace.features.store import FeatureStore
from affectspace.features.vectors import VectorTable

__all__ = ["FeatureStore", "Features", "Frontend", "LogMel", "Normaliser", "Statistics", "VectorTable", "log_mel"]
