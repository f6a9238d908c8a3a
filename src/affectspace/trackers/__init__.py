"""TensorBoard, MLflow and W&B as readers of run folders; nothing is sent anywhere unless that is asked for.

Names are imported when they are asked for, and the trackers themselves only when they are opened.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the same names, for readers, editors and type checkers
    from affectspace.trackers.choose import TRACKERS, open_tracker
    from affectspace.trackers.follow import Tracked, track
    from affectspace.trackers.record import Record, read_record

__all__ = ["TRACKERS", "Record", "Tracked", "open_tracker", "read_record", "track"]

HOMES = {
    "TRACKERS": "choose",
    "Record": "record",
    "Tracked": "follow",
    "open_tracker": "choose",
    "read_record": "record",
    "track": "follow",
}


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{HOMES[name]}"), name)
