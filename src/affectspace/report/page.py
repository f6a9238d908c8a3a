"""How a page is made of a template and written: self-contained, escaping whatever the data hold."""

import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

import affectspace
from affectspace.files import write_text

__all__ = ["write_page"]


def write_page(template: str, path: str | Path, date: datetime.date | None, values: dict[str, Any]) -> Path:
    """Fill a template and write it.

    Args:
        template: its name in ``templates/``.
        path: the HTML file, or a folder, which gets a ``report.html``.
        date: printed at the end; today where None.
        values: what the template asks for, but for version and date.

    Returns:
        Where the page is.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "report.html"
    day = (date or datetime.date.today()).isoformat()
    write_text(path, _environment().get_template(template).render(**values, version=affectspace.__version__, date=day))
    return path


@cache
def _environment() -> Environment:
    """What reads templates, and compiles each of them once."""
    return Environment(
        loader=PackageLoader("affectspace.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
