"""Augmented training: only training items are changed, whatever happens to the run."""

import json
import tomllib

import numpy as np
import pytest
import torch

from affectspace.errors import InputError
from affectspace.features import Hearing, LogMel, Waveform
from affectspace.media import read_audio
from affectspace.training import dump_recipe, load_recipe, make_recipe, train
from affectspace.training.frontends import make_hearing
from affectspace.training.gather import gather
from affectspace.training.prepare import prepare
from affectspace.training.recipe_data import Augment

ALL = {
    "share": 0.8, "speed": [0.9, 1.1], "level": 6.0, "noise": [15.0, 35.0],
    "reverberation": [0.2, 0.6], "channel": 6.0, "time_masks": 1, "time_width": 10, "band_masks": 1, "band_width": 3,
}  # fmt: skip


def hearing_of(recipe, data):
    return make_hearing(recipe, data.clips, data.samples, data.normaliser, data.items["key"])


def test_samples_are_kept_beside_the_features_of_the_same_items(tiny, world):
    gathered = gather(tiny(augment=ALL))
    assert gathered.samples is not None
    assert len(gathered.samples) == len(gathered.clips) == len(gathered.items)
    for row in (0, 5, len(gathered.items) - 1):
        item = gathered.items.iloc[row]
        samples = read_audio(world / item["corpus"] / item["audio"])
        assert np.allclose(Waveform.restore(gathered.samples[row]), samples, atol=2**-15)
        assert np.allclose(LogMel(bands=20).compute(samples), gathered.clips[row], atol=0.05)


@pytest.mark.parametrize("augment", [{}, {"band_masks": 1, "band_width": 3}])
def test_nothing_that_changes_samples_keeps_none(tiny, augment):
    assert gather(tiny(augment=augment)).samples is None


def test_the_training_batch_is_what_is_heard_and_others_are_as_they_are(tiny):
    recipe = tiny("triplets", augment=ALL)
    data, plain = prepare(recipe), prepare(tiny("triplets"))
    hear = hearing_of(recipe, data)
    batch = data.training_batch(np.arange(5), hear, 2)
    for place, row in enumerate(data.split.train[:5]):
        heard = hear(int(row), 2, "anchor")
        assert batch.lengths[place] == len(heard)
        assert np.array_equal(batch.values[place, : len(heard)], heard)
        assert not batch.values[place, len(heard) :].any()
    for part in (data.split.train, data.split.validate, data.split.test):
        assert torch.equal(data.batch(part[:6]).values, plain.batch(part[:6]).values)


def test_validation_and_test_are_never_heard(tiny, tmp_path, monkeypatch):
    recipe, rows = tiny(augment=ALL), set()
    whole = Hearing.__call__

    def listened(self, row, epoch, role):
        rows.add(row)
        return whole(self, row, epoch, role)

    monkeypatch.setattr(Hearing, "__call__", listened)
    train(recipe, tmp_path / "run")
    assert rows == set(prepare(recipe).split.train.tolist())


@pytest.mark.parametrize("terms", ["batch", "triplets"])
def test_a_run_that_broke_off_goes_on_hearing_what_it_would_have_heard(tiny, tmp_path, goes_on, terms):
    goes_on(tiny(terms, augment=ALL, training={"checkpoint_steps": 2}), tmp_path, batches=8)


def test_augmentation_changes_the_run_and_its_seed_changes_what_is_heard(tiny, tmp_path):
    losses = []
    for number, changes in enumerate([{}, {"augment": ALL}, {"augment": {**ALL, "noise": [5.0, 10.0]}}]):
        train(tiny(**changes), tmp_path / str(number))
        losses.append(json.loads((tmp_path / str(number) / "metrics.jsonl").read_text().splitlines()[-1])["loss"])
    assert len(set(losses)) == 3
    data = prepare(tiny(augment=ALL))
    one, other = (hearing_of(tiny(augment=ALL, seed=seed), data) for seed in (0, 1))
    assert any(not np.array_equal(one(row, 0, "anchor"), other(row, 0, "anchor")) for row in data.split.train[:5])


def test_a_section_with_nothing_on_is_no_augmentation(tiny):
    data = prepare(tiny(augment={}))
    assert hearing_of(tiny(augment={}), data) is None
    assert tiny(augment={}).augment.told is None
    assert tiny(augment={"level": 3.0}).augment.told == {"level": 3.0}


def test_the_section_is_written_and_read_back(tiny, tmp_path):
    recipe = tiny(augment=ALL)
    (tmp_path / "r.toml").write_text(dump_recipe(recipe))
    assert load_recipe(tmp_path / "r.toml").augment == recipe.augment
    assert tomllib.loads(dump_recipe(recipe))["augment"]["speed"] == [0.9, 1.1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"augment": {"speed": [1.1, 0.9]}}, r"in \[1\.1, 0\.9\] the ends are swapped; give \[0\.9, 1\.1\]"),
        ({"augment": {"speed": [0.9]}}, r"augment\.speed: \[0\.9\] is no pair of numbers; give \[lowest, highest\]"),
        ({"augment": {"pitch": 2}}, r"augment: unknown key 'pitch'; .*legal: share, speed, level"),
        (
            {"augment": {"share": 0.5}},
            r"share is 0\.5 and nothing is on; set speed, level, noise, reverberation, channel or masks",
        ),
        (
            {"augment": {"reverberation": [0.0, 0.5]}},
            r"reverberation is \[0\.0, 0\.5\]; give \[lowest, highest\] within 0\.05 to 3",
        ),
        ({"augment": {"channel": 0}}, r"channel is 0 dB; give the largest change, above 0 and up to 40"),
        ({"augment": {"time_masks": 2}}, r"time_masks is 2 without a width; give the widest mask as time_width"),
        ({"augment": {"band_width": 2}}, r"band_width is 2 without masks; give their number as band_masks"),
        (
            {"augment": {"band_masks": 5, "band_width": 4}},
            r"augment\.band_masks 5 of up to 4 bands could cover all 20; lower band_masks",
        ),
        (
            {"augment": {"level": 3.0}, "features": {"kind": "log_mel", "level": -26.0}},
            r"augment\.level changes a level that features\.level sets to -26 dB again; leave one out",
        ),
        (
            {"augment": {"time_masks": 1, "time_width": 9},
             "features": {"kind": "log_mel", "normalise": {"scope": "none"}}},
            r'features\.normalise\.scope "none" leaves none to set them to; use scope = "train", or no masks',
        ),
        (
            {"augment": {"level": 3.0}, "features": {"kind": "functionals"}, "encoder": {"kind": "mlp"}},
            r'functionals have none to change; use features\.kind = "log_mel", or leave \[augment\] out',
        ),
        (
            {"augment": {"level": 3.0}, "features": {"kind": "vectors", "path": "v.csv"}, "encoder": {"kind": "mlp"}},
            r"vectors have none to change",
        ),
    ],
)  # fmt: skip
def test_errors_say_value_and_remedy(tiny, changes, message):
    with pytest.raises(InputError, match=message):
        tiny(**changes)


def test_all_is_off_by_default():
    assert not Augment().on
    recipe = make_recipe(
        {
            "name": "plain", "corpora": [{"path": "a"}], "labels": {"kind": "classes", "names": ["a", "b"]},
            "protocol": {"kind": "leave_one_out"},
        }
    )  # fmt: skip
    assert recipe.augment == Augment()
