"""Learned distances are drawn as they are: symmetric, named, numbered where there is room, and only where learned."""

import re

import matplotlib.figure
import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from affectspace.errors import InputError
from affectspace.losses import GuidedEMDLoss
from affectspace.report import write_report
from affectspace.report.compare import Comparison
from affectspace.report.heat_map import distance_panels, heat_map, learned_distances
from affectspace.training.run import Run

CLASSES = ("angry", "happy", "neutral", "sad")


def learned(classes: int = 4) -> dict[str, np.ndarray]:
    """What a guided EMD term keeps after two epochs, by its names in the run's file."""
    loss = GuidedEMDLoss(classes, 3, warm_up=1)
    generator = torch.Generator().manual_seed(0)
    for _ in range(2):
        targets = torch.arange(40) % classes
        loss(torch.randn(40, classes, generator=generator), targets, torch.rand(40, 3, generator=generator))
        loss.epoch_end()
    return {f"terms.guided_emd.loss.{key}": value.numpy() for key, value in loss.state_dict().items()}


@pytest.fixture
def run(make_run):
    path = make_run("guided", "guided", items=40, epochs=2, snapshots=())
    (path / "model").mkdir()
    save_file(learned(), path / "model/terms.safetensors")
    return Run(path)


def test_a_run_tells_what_its_term_has_learned(run):
    [found] = learned_distances(run)
    state = learned()
    assert found.term == "guided_emd"
    assert np.array_equal(found.distance, state["terms.guided_emd.loss.ground_distance"])
    assert found.weight == pytest.approx(float(state["terms.guided_emd.loss.emd_weight"]))
    assert np.isfinite(found.strength)


def test_other_terms_and_runs_without_any_have_none(run, make_run):
    state = {"terms.entropic_emd.loss.ground_distance": np.zeros((4, 4), np.float32)}
    save_file(state, run.path / "model/terms.safetensors")
    assert learned_distances(run) == []
    assert learned_distances(Run(make_run("plain", "plain", items=20, epochs=1, snapshots=()))) == []


def test_damage_is_said(run):
    save_file(learned(3), run.path / "model/terms.safetensors")
    with pytest.raises(InputError, match=r"terms\.safetensors of run .* is damaged: .* is 3 x 3 for 4 classes"):
        learned_distances(run)
    (run.path / "model/terms.safetensors").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"terms\.safetensors of run .* is damaged"):
        learned_distances(run)


def test_every_cell_has_its_number_up_to_twelve_classes():
    for count, numbered in ((12, True), (13, False)):
        distance = np.abs(np.subtract.outer(np.arange(count), np.arange(count))) / count
        ax = matplotlib.figure.Figure().add_subplot()
        heat_map(ax, distance, [f"c{row}" for row in range(count)])
        assert [text.get_text() for text in ax.texts] == ([f"{v:.2f}" for v in distance.flat] if numbered else [])
        assert len(ax.patches) == count**2
        assert [label.get_text() for label in ax.get_xticklabels()] == [f"c{row}" for row in range(count)]


def test_long_names_stand_within_the_picture(run, monkeypatch):
    figures = []
    monkeypatch.setattr("affectspace.report.heat_map.inline_svg", lambda figure, *_: figures.append(figure))
    monkeypatch.setattr(Run, "classes", ("below 2.8", "2.8 to 3.9", "3.9 to 8.3", "8.3 and above"))
    distance_panels(Comparison((run,)))
    [figure] = figures
    figure.draw_without_rendering()
    inside = figure.get_tightbbox()
    assert inside.x0 >= 0
    assert inside.x1 <= figure.get_figwidth()
    assert inside.y0 >= 0


def test_equal_distances_have_equal_shades_and_farther_is_darker():
    distance = np.array([[0, 0.2, 0.9], [0.2, 0, 0.2], [0.9, 0.2, 0]])
    ax = matplotlib.figure.Figure().add_subplot()
    heat_map(ax, distance, ["a", "b", "c"])
    shades = np.array([patch.get_facecolor()[:3] for patch in ax.patches]).reshape(3, 3, 3)
    assert np.array_equal(shades, shades.transpose(1, 0, 2))
    assert np.array_equal(shades[0, 1], shades[1, 2])
    assert shades[0, 2].sum() < shades[0, 1].sum()


@pytest.mark.parametrize(
    ("distance", "message"),
    [
        (np.zeros((2, 3)), r"distance has shape \(2, 3\); expected \(2, 2\)"),
        (np.array([[0, 0.1], [0.5, 0]]), "distance is not symmetric; give the mean of it and its transpose"),
    ],
)
def test_what_is_no_distance_is_refused(distance, message):
    with pytest.raises(ValueError, match=message):
        heat_map(matplotlib.figure.Figure().add_subplot(), distance, ["a", "b"])


def test_the_report_of_a_run_shows_it_and_others_do_not(run, make_run, tmp_path):
    source = write_report([run], tmp_path / "with.html").read_text(encoding="utf-8")
    assert '<h2 id="distances">' in source
    assert source.count('aria-label="Ground distances between 4 classes of guided') == 1
    distance = learned_distances(run)[0].distance
    upper = np.triu_indices(4, 1)
    nearest = int(distance[upper].argmin())
    told = f"nearest are {CLASSES[upper[0][nearest]]} and {CLASSES[upper[1][nearest]]}"
    assert told in source
    assert re.search(r"learned, relation strength 0\.\d{4} · weight", source)
    plain = Run(make_run("plain", "plain", items=20, epochs=1, snapshots=()))
    assert 'id="distances"' not in write_report([plain], tmp_path / "without.html").read_text(encoding="utf-8")
