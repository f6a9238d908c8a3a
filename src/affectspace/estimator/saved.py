"""A fitted estimator as a folder of JSON and safetensors, and back."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from affectspace.encoders import MLP
from affectspace.errors import InputError
from affectspace.files import atomic_directory, write_json

if TYPE_CHECKING:
    from affectspace.estimator.emotion_space import EmotionSpace

__all__ = ["read_estimator", "write_estimator"]

FORMAT = 1
KINDS = "biufU"  # of labels: truths, whole numbers, numbers, texts; texts as objects are kept as texts


def write_estimator(space: "EmotionSpace", folder: Path) -> Path:
    """Write ``estimator.json`` and ``model.safetensors``; the weights are those of training, in float32.

    Raises:
        InputError: the folder exists; parameters or labels that JSON cannot hold.
    """
    if folder.exists():
        raise InputError(f"{folder} exists already; save to a new folder, or remove it first")
    classes = space.classes_
    texts = classes.dtype == object and all(isinstance(name, str) for name in classes)
    if classes.dtype.kind not in KINDS and not texts:
        raise InputError(f"classes are of type {classes.dtype}, which JSON cannot hold; train on texts or numbers")
    params = space.get_params()
    if isinstance(params["random_state"], np.random.RandomState):
        params["random_state"] = None  # its stream has gone on since
    about = {
        "format": FORMAT,
        "params": params,
        "classes": classes.tolist(),
        "classes_type": "object" if texts else classes.dtype.str,
        "feature_names": list(getattr(space, "feature_names_in_", [])) or None,
        "mean": space.mean_.tolist(),
        "scale": space.scale_.tolist(),
        "history": space.history_,
    }
    try:
        about = json.loads(json.dumps(about, default=_plain))
    except TypeError as error:
        raise InputError(f"a parameter cannot be saved: {error}; give plain numbers, texts and lists") from None
    with atomic_directory(folder) as path:
        write_json(path / "estimator.json", about)
        state = {name: value.float().contiguous() for name, value in space.encoder_.state_dict().items()}
        (path / "model.safetensors").write_bytes(save(state))
    return folder


def read_estimator(cls: "type[EmotionSpace]", folder: Path) -> "EmotionSpace":
    """The estimator of a folder, which answers with the same bits.

    Raises:
        InputError: there is none, it is of another format, or it is damaged.
    """
    if not (folder / "estimator.json").is_file():
        raise InputError(f"there is no saved EmotionSpace in {folder}; give the folder that save wrote")
    try:
        about: dict[str, Any] = json.loads((folder / "estimator.json").read_text(encoding="utf-8"))
        if about["format"] != FORMAT:
            raise InputError(
                f"{folder} is of estimator format {about['format']}, and this affectspace reads {FORMAT}; upgrade it"
            )
        space = cls(**about["params"])
        space.classes_ = np.array(about["classes"], dtype=about["classes_type"])
        space.mean_, space.scale_ = np.array(about["mean"]), np.array(about["scale"])
        space.history_ = about["history"]
        found: dict[str, Any] = {"n_features_in_": len(space.mean_)}  # which scikit-learn sets by itself in training
        if about["feature_names"]:
            found["feature_names_in_"] = np.array(about["feature_names"], dtype=object)
        vars(space).update(found)
        encoder = MLP(len(space.mean_), len(space.classes_), space.hidden, space.dropout, space.limit)
        encoder.load_state_dict(load_file(folder / "model.safetensors"))
    except InputError:
        raise
    except (KeyError, RuntimeError, ValueError, TypeError, AttributeError, OSError, SafetensorError) as error:
        raise InputError(f"the estimator in {folder} is damaged: {error}") from error
    space.encoder_ = encoder.double().eval()
    return space


def _plain(value: Any) -> Any:
    """Numbers and arrays of numpy as JSON has them."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{value!r} is of type {type(value).__name__}")
