"""Ratings to targets, and the geometry between targets."""

from affectspace.labels.agreement import Agreement, agreement
from affectspace.labels.emotions import shared_emotion
from affectspace.labels.spaces import Classes, LabelSpace, Levels, Poles, ground_distance
from affectspace.labels.votes import Targets

__all__ = [
    "Agreement",
    "Classes",
    "LabelSpace",
    "Levels",
    "Poles",
    "Targets",
    "agreement",
    "ground_distance",
    "shared_emotion",
]
