"""Which items meet in a batch."""

from affectspace.samplers.balanced import BalancedTriplets, TripletIndices
from affectspace.samplers.buckets import LengthBuckets
from affectspace.samplers.shuffled import ShuffledBatches

__all__ = ["BalancedTriplets", "LengthBuckets", "ShuffledBatches", "TripletIndices"]
