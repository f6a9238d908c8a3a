"""Addresses of stores, as they may be shown: without who logs in, and by what password."""

import re

__all__ = ["login", "without_login"]

OF_PAGE = re.compile(r"https?://(?P<login>[^/?#]*@)", re.IGNORECASE)
OF_STORE = re.compile(r"[^:/]+://(?P<login>[^:/]*(?::.*)?@)", re.DOTALL)  # a database's password may hold a slash


def login(uri: str) -> str:
    """``user:password@`` of an address; empty where it has none.

    Example:
        >>> login("postgresql://ann:pass/word@host/db"), login("http://host:5000/a@b"), login("sqlite:////tmp/a@b.db")
        ('ann:pass/word@', '', '')
    """
    page = uri.lower().startswith(("http://", "https://"))
    found = (OF_PAGE if page else OF_STORE).match(uri)
    return found["login"] if found else ""


def without_login(uri: str) -> str:
    """The address as it may be printed.

    Example:
        >>> without_login("https://ann:secret@host:5000/mlflow")
        'https://host:5000/mlflow'
    """
    return uri.replace(login(uri), "", 1)
