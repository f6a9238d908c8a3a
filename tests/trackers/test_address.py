"""What is printed of an address tells where, and never by what password."""

import pytest

from affectspace.trackers.address import login, without_login


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("https://ann:se@cret@host:5000/x", "https://host:5000/x"),
        ("HTTP://token@host", "HTTP://host"),
        ("http://host:5000/a@b?c=d:e@f", "http://host:5000/a@b?c=d:e@f"),
        ("postgresql+psycopg2://ann:se/c:r?e#t@host/db", "postgresql+psycopg2://host/db"),
        ("mysql://ann@host/db", "mysql://host/db"),
        ("postgresql://host:5432/db", "postgresql://host:5432/db"),
        ("sqlite:////tmp/a@b.db", "sqlite:////tmp/a@b.db"),
        ("sqlite:///C:/a@b.db", "sqlite:///C:/a@b.db"),
        ("databricks", "databricks"),
        ("tracked/a:b@c", "tracked/a:b@c"),
    ],
)
def test_an_address_is_shown_without_its_login(uri, shown):
    assert without_login(uri) == shown
    assert (login(uri) == "") == (uri == shown)
