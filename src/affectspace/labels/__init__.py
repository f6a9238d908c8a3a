"""Ratings to targets, and the geometry between targets."""

from affectspace.labels.agreement import Agreement, agreement
from affectspace.labels.bins import bin_centres, bin_of, ensemble_value, equal_mass_thresholds, expected_value
from affectspace.labels.classes import Classes
from affectspace.labels.cut import Cut
from affectspace.labels.distribution import as_distribution
from affectspace.labels.emotions import shared_emotion
from affectspace.labels.geometry import GEOMETRIES, Geometry, fisher_rao_angle, total_variation
from affectspace.labels.levels import Levels, Uncut
from affectspace.labels.poles import Poles
from affectspace.labels.spaces import LabelSpace, ground_distance
from affectspace.labels.targets import Targets

__all__ = [
    "GEOMETRIES",
    "Agreement",
    "Classes",
    "Cut",
    "Geometry",
    "LabelSpace",
    "Levels",
    "Poles",
    "Targets",
    "Uncut",
    "agreement",
    "as_distribution",
    "bin_centres",
    "bin_of",
    "ensemble_value",
    "equal_mass_thresholds",
    "expected_value",
    "fisher_rao_angle",
    "ground_distance",
    "shared_emotion",
    "total_variation",
]
