"""Several recipes, several splits, several seeds: run, compared, and said how surely.

Names are imported when they are asked for, as reading a finished study has no use for what trains one.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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

HOMES = {
    "StudyResults": "results",
    "load_study": "study",
    "open_study": "results",
    "run_study": "execute",
    "summarise": "summary",
}


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{HOMES[name]}"), name)
    globals()[name] = value
    return value
