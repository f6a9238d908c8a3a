"""Ratings to targets, and the geometry between targets.

What needs torch is imported when it is asked for: whoever reads or checks a corpus would wait seconds for it.
"""

from typing import TYPE_CHECKING

from affectspace.labels.agreement import Agreement, agreement
from affectspace.labels.bins import bin_centres, bin_of, ensemble_value, equal_mass_thresholds, expected_value
from affectspace.labels.classes import Classes
from affectspace.labels.cut import Cut
from affectspace.labels.emotions import shared_emotion
from affectspace.labels.levels import Levels, Uncut
from affectspace.labels.poles import Poles
from affectspace.labels.spaces import LabelSpace, ground_distance
from affectspace.labels.targets import Targets
from affectspace.on_demand import on_demand

if TYPE_CHECKING:  # the same names, for readers, editors and type checkers
    from affectspace.labels.distribution import as_distribution
    from affectspace.labels.geometry import GEOMETRIES, Geometry, fisher_rao_angle, total_variation

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

__getattr__, __dir__ = on_demand(
    __name__,
    {
        "GEOMETRIES": ".geometry",
        "Geometry": ".geometry",
        "as_distribution": ".distribution",
        "fisher_rao_angle": ".geometry",
        "total_variation": ".geometry",
    },
)
