"""TensorBoard, MLflow and W&B as readers of run folders; nothing is sent anywhere unless that is asked for.

Names are imported when they are asked for, and the trackers themselves only when they are opened.
"""

from typing import TYPE_CHECKING

from affectspace.on_demand import on_demand

if TYPE_CHECKING:  # the same names, for readers, editors and type checkers
    from affectspace.trackers.choose import TRACKERS, open_tracker
    from affectspace.trackers.follow import Tracked, track
    from affectspace.trackers.record import Record, read_record

__all__ = ["TRACKERS", "Record", "Tracked", "open_tracker", "read_record", "track"]

__getattr__, __dir__ = on_demand(
    __name__,
    {
        "TRACKERS": ".choose",
        "Record": ".record",
        "Tracked": ".follow",
        "open_tracker": ".choose",
        "read_record": ".record",
        "track": ".follow",
    },
)
