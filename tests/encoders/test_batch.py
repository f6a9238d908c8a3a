"""A batch and its modalities go to a device as a whole."""

import torch

from affectspace.encoders import Batch, Modality, Outputs


def _batch() -> Batch:
    modalities = {
        "acoustic": Modality(torch.randn(3, 4), torch.tensor([1, 0, 1])),
        "lexical": Modality(torch.randn(3, 5, 2), torch.tensor([5, 2, 0])),
    }
    return Batch(torch.empty(3, 0), torch.ones(3), groups={"speaker": torch.arange(3)}, modalities=modalities)


def test_an_item_has_a_modality_of_which_it_has_a_frame():
    modalities = _batch().modalities
    assert modalities is not None
    assert modalities["acoustic"].present.tolist() == [True, False, True]
    assert modalities["lexical"].present.tolist() == [True, True, False]


def test_modalities_go_to_the_device_with_the_batch():
    batch = _batch()
    assert batch.to("cpu") is batch
    moved = batch.to("meta")
    assert moved.modalities is not None
    assert moved.groups is not None
    assert list(moved.modalities) == ["acoustic", "lexical"]
    tensors = [moved.values, moved.lengths, moved.groups["speaker"]]
    tensors += [part for modality in moved.modalities.values() for part in (modality.values, modality.lengths)]
    assert {tensor.device.type for tensor in tensors} == {"meta"}
    assert moved.modalities["lexical"].values.shape == (3, 5, 2)


def test_a_batch_of_one_kind_of_values_has_no_modalities():
    batch = Batch(torch.randn(2, 3), torch.ones(2))
    assert batch.modalities is None
    assert batch.to("meta").modalities is None


def test_outputs_do_not_share_what_they_hold():
    first, second = (Outputs(torch.empty(1, 2), torch.empty(1, 2)) for _ in range(2))
    first.reconstructions["acoustic"] = torch.empty(1, 4)
    assert not second.reconstructions
