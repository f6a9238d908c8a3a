"""Which items meet in a batch."""

from affectspace.samplers.balanced import BalancedTriplets, TripletIndices
from affectspace.samplers.buckets import LengthBuckets
from affectspace.samplers.classes import ClassBatches
from affectspace.samplers.mixed import MixedBatches, MixedIndices, balanced_rows
from affectspace.samplers.shuffled import ShuffledBatches

__all__ = [
    "BalancedTriplets", "ClassBatches", "LengthBuckets", "MixedBatches", "MixedIndices", "ShuffledBatches",
    "TripletIndices", "balanced_rows",
]  # fmt: skip
