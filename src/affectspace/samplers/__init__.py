"""Which items meet in a batch."""

from affectspace.samplers.balanced import BalancedTriplets, TripletIndices
from affectspace.samplers.buckets import LengthBuckets
from affectspace.samplers.classes import ClassBatches
from affectspace.samplers.shuffled import ShuffledBatches

__all__ = ["BalancedTriplets", "ClassBatches", "LengthBuckets", "ShuffledBatches", "TripletIndices"]
