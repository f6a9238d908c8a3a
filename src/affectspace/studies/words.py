"""Numbers, times and lists as people say them."""

from collections.abc import Sequence

__all__ = ["counted", "duration", "listed", "named"]


def counted(number: int, what: str) -> str:
    """So many of something.

    Example:
        >>> counted(1, "run"), counted(1234, "run")
        ('1 run', '1,234 runs')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """As people say it.

    Example:
        >>> duration(38.2), duration(156), duration(840), duration(9000)
        ('40 s', '2.6 min', '14 min', '2.5 h')
    """
    if seconds < 95:
        return f"{max(1, round(seconds)) if seconds < 20 else 5 * round(seconds / 5)} s"
    if seconds < 595:
        return f"{seconds / 60:.1f} min"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def listed(names: Sequence[str]) -> str:
    """Names as a sentence lists them; semicolons part three and more of which one holds a comma.

    Example:
        >>> listed(["CE", "KL", "JS"]), listed(["CE, plain", "KL", "JS"])
        ('CE, KL and JS', 'CE, plain; KL; and JS')
    """
    if any("," in name for name in names) and len(names) > 2:
        return f"{'; '.join(names[:-1])}; and {names[-1]}"
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def named(*names: str) -> str:
    """Names that people gave as a sentence has them: of several words in quotation marks, so that it can be read.

    Example:
        >>> named("CE", "KL"), named("all languages")
        ('CE and KL', '“all languages”')
    """
    return listed([f"“{name}”" if " " in name else name for name in names])
