"""Where no terminal shows a bar, a line tells now and then how far things are."""

import io

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from affectspace.features import FeatureStore, LogMel, lines
from affectspace.features.lines import Lines, counted_lines
from affectspace.media import write_audio


class Clock:
    """Seconds that go by when somebody says so."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(lines, "time", clock)
    return clock


def test_lines_come_at_growing_intervals_of_up_to_a_minute(clock):
    console = Console(file=io.StringIO())
    told = Lines(console)
    for second in range(400):
        clock.now = float(second)
        told.tell(f"at {second}")
    assert console.file.getvalue().split() == [  # type: ignore[attr-defined]
        word for second in (10, 30, 70, 130, 190, 250, 310, 370) for word in ("at", str(second))
    ]


def test_items_go_through_unchanged_and_are_counted(clock, monkeypatch):
    monkeypatch.setattr(lines, "FIRST", 0.0)
    console = Console(file=io.StringIO(), width=20)
    assert list(counted_lines("abc", "features", 3107, Lines(console))) == ["a", "b", "c"]
    assert console.file.getvalue() == "".join(  # type: ignore[attr-defined]
        f"features: {number} of 3,107 items\n" for number in (1, 2, 3)
    )


@pytest.mark.parametrize(("quiet", "terminal"), [(True, False), (False, True)])
def test_nothing_where_quiet_or_on_a_terminal(clock, monkeypatch, quiet, terminal):
    monkeypatch.setattr(lines, "FIRST", 0.0)
    console = Console(file=io.StringIO(), force_terminal=terminal)
    Lines(console, quiet).tell("x")
    assert console.file.getvalue() == ""  # type: ignore[attr-defined]


@pytest.mark.parametrize("progress", [True, False])
def test_making_features_tells_on_standard_error_alone(tmp_path, monkeypatch, capsys, progress):
    monkeypatch.setattr(lines, "FIRST", 0.0)
    write_audio(tmp_path / "a.flac", np.sin(np.arange(16000.0)), 16000)
    media = pd.DataFrame({"id": ["a", "b"], "path": [tmp_path / "a.flac"] * 2})
    FeatureStore(tmp_path / "store").extract(media, LogMel(), progress=progress)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == ("features: 1 of 2 items\nfeatures: 2 of 2 items\n" if progress else "")
