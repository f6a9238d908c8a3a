"""Which features a process on another machine reads."""

import pytest

from affectspace.clusters import Node, Sight
from affectspace.studies.ray_seat import Seat

ray = pytest.importorskip("ray", reason='Ray is not installed; pip install "affectspace[ray]"')


@pytest.mark.parametrize(
    ("there", "seen", "used"),
    [("ab", "ab", True), ("ab", "a", False), ("ab", "b", False), ("a", "a", True), ("a", "", False), ("", "", False)],
)
def test_features_are_read_there_where_all_of_their_folders_are_seen(tmp_path, monkeypatch, there, seen, used):
    """A folder that is not there yet has nothing to read."""
    given = {}

    class Trainer:
        def __getattr__(self, name):
            return self

        def options(self, **options):
            given.update(options)
            return self

        def remote(self, *given):
            return self

    monkeypatch.setattr(ray, "remote", lambda kind: Trainer())
    folders = [tmp_path / "a", tmp_path / "b"]
    for name in there:
        (tmp_path / name).mkdir()
    node = Node("0" * 56, "there", "127.0.0.1", 1)
    Seat(Sight(node, 0.0, frozenset(str(tmp_path / name) for name in seen)), folders)
    kept = given["runtime_env"]["env_vars"].get("AFFECTSPACE_CACHE")
    assert kept == (f"{folders[0]}:{folders[1]}" if used else None)
