"""Every block of docs/loops.md trains: each loss in a plain loop, and in the loops of other libraries."""

import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

from affectspace.losses import DegenerateBatchWarning, TripletLoss
from affectspace.losses.guide import GUIDE

PAGE = (Path(__file__).parents[2] / "docs/loops.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(python(?: peers)?)\n(.*?)^```", re.M | re.S)
NEEDS = {
    "Plain PyTorch": (),
    "pytorch-metric-learning": ("pytorch_metric_learning",),
    "sentence-transformers": ("sentence_transformers", "datasets", "accelerate"),
}
SECTIONS = {part.partition("\n")[0]: part.partition("\n")[2] for part in re.split(r"^## ", PAGE, flags=re.M)[1:]}
WITHOUT_LABELS = {"reconstruction", "pseudo_labels", "consistency"}  # not for trainers of labelled losses
ROWS = {
    section: [row for row in GUIDE if section == "Plain PyTorch" or row.term not in WITHOUT_LABELS] for section in NEEDS
}


def setup(section: str) -> list[str]:
    return [code for _, code in FENCE.findall(re.split(r"^### ", SECTIONS[section], flags=re.M)[0])]


def shown(section: str) -> dict[str, str]:
    """The block of each loss, by its term."""
    parts = re.split(r"^### `(\w+)`\n", SECTIONS[section], flags=re.M)[1:]
    return {term: FENCE.findall(part)[0][1] for term, part in zip(parts[::2], parts[1::2])}


@dataclass
class Watch:
    """What was trained while a block ran: each parameter as it was at the first step, and the value of each loss."""

    start: dict[torch.Tensor, torch.Tensor] = field(default_factory=dict)
    values: list[float] = field(default_factory=list)

    def before_step(self, optimizer: torch.optim.Optimizer, *_: object) -> None:
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                self.start.setdefault(parameter, parameter.detach().clone())


@pytest.fixture
def watch(monkeypatch):
    seen, backward = Watch(), torch.Tensor.backward

    def noted(loss, *args, **kwargs):
        seen.values.append(loss.item())
        return backward(loss, *args, **kwargs)

    monkeypatch.setattr(torch.Tensor, "backward", noted)
    handle = register_optimizer_step_pre_hook(seen.before_step)
    yield seen
    handle.remove()


def test_the_page_has_these_sections_and_no_other_blocks():
    assert list(SECTIONS) == list(NEEDS)
    for section in SECTIONS:
        fences = [fence for fence, _ in FENCE.findall(SECTIONS[section])]
        assert set(fences) == {"python peers" if NEEDS[section] else "python"}
        assert len(fences) == len(setup(section)) + len(shown(section)) == SECTIONS[section].count("```") / 2


@pytest.mark.parametrize("section", NEEDS)
def test_every_loss_of_the_guide_is_shown(section):
    assert list(shown(section)) == [row.term for row in ROWS[section]]
    for row in ROWS[section]:
        assert re.search(rf"\b{row.module}\(", shown(section)[row.term]), row.module


@pytest.mark.parametrize("section", NEEDS)
def test_no_block_is_longer_than_ten_lines(section):
    for code in [*setup(section), *shown(section).values()]:
        assert sum(bool(line.strip()) for line in code.splitlines()) <= 10, code


@pytest.mark.parametrize(("section", "term"), [(section, row.term) for section in NEEDS for row in ROWS[section]])
def test_the_block_trains(section, term, watch, tmp_path, monkeypatch):
    for library in NEEDS[section]:
        pytest.importorskip(library)
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 (their sampler draws from it)
    with warnings.catch_warnings():
        warnings.simplefilter("error", DegenerateBatchWarning)
        namespace = {"__name__": "block"}
        for code in [*setup(section), shown(section)[term]]:
            exec(compile(code, f"docs/loops.md, {section}, {term}", "exec"), namespace)
    assert len(watch.start) >= 2
    for parameter, start in watch.start.items():
        assert parameter.isfinite().all()
        if parameter.ndim == 2:  # what no loss sees, such as a shift of all embeddings, a bias may keep
            assert not torch.equal(parameter, start)
    values = torch.tensor(watch.values)
    assert len(values) >= 20
    assert values.isfinite().all()
    if term != "adversary":  # whose part of the loss is to rise
        quarter = len(values) // 4
        assert values[-quarter:].mean() < values[:quarter].mean()


def test_what_a_miner_found_is_refused_and_named():
    miners = pytest.importorskip("pytorch_metric_learning.miners")
    embeddings, labels = torch.randn(16, 4), torch.arange(16) % 4
    mined = miners.MultiSimilarityMiner()(embeddings, labels)
    with pytest.raises(ValueError, match=r"the third argument is a tuple, such as a miner's .* leave the miner out"):
        TripletLoss()(embeddings, labels, mined)
