"""Several recipes, several splits, several seeds: run, compared, and said how surely.

Names are imported when they are asked for, as reading a finished study has no use for what trains one.
"""

from typing import TYPE_CHECKING

from affectspace.on_demand import on_demand

if TYPE_CHECKING:  # the same names, for readers, editors and type checkers
    from affectspace.studies.execute import run_study
    from affectspace.studies.results import StudyResults, open_study
    from affectspace.studies.study import load_study
    from affectspace.studies.summary import summarise

__all__ = [
    "StudyResults",
    "load_study",
    "open_study",
    "run_study",
    "summarise",
]

__getattr__, __dir__ = on_demand(
    __name__,
    {
        "StudyResults": ".results",
        "load_study": ".study",
        "open_study": ".results",
        "run_study": ".execute",
        "summarise": ".summary",
    },
)
