"""Faces with landmarks, found by a YuNet network that the user has as an ONNX file."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from affectspace.errors import InputError
from affectspace.extras import refuse_missing
from affectspace.features.crops import in_colour
from affectspace.features.face import Face
from affectspace.features.face_finder import checked_settings, overlaps, wanted
from affectspace.files import sha256

__all__ = ["YuNetFinder", "decode_yunet"]

VERSION = 1  # of what is done here around the network; raise it when results change
LONGEST = 640  # pixels of the longer side that the network is given, unless it has a size of its own
STRIDES = (8, 16, 32)  # pixels between the places at which the network looks
OUTPUTS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}  # numbers at each place
SAME = 0.3  # intersection over union from which on two boxes are one face, as in OpenCV


@dataclass(frozen=True)
class YuNetFinder:
    """YuNet, a small network for faces at many angles, with eyes, nose and mouth.

    The file is yours: ``face_detection_yunet_2023mar.onnx`` of OpenCV's model zoo is one. It is run by onnxruntime, on
    one thread, and its outputs are decoded here as OpenCV decodes them; OpenCV itself is not needed.

    Args:
        path: the ONNX file.
        find: ``"largest"`` or ``"all"`` faces.
        smallest: width of the smallest face that is given back, as a share in (0, 1] of the picture's shorter side.
        sure: the lowest score in (0, 1) of a face.

    Raises:
        InputError: a setting outside its range, onnxruntime is not installed, or no such file.

    Source: Wu, Peng & Yu, "YuNet: a tiny millisecond-level face detector", Machine Intelligence Research 2023.

    Example:
        >>> faces = YuNetFinder("face_detection_yunet_2023mar.onnx", find="all")(pixels)      # doctest: +SKIP
    """

    path: str | Path
    find: str = "largest"
    smallest: float = 0.05
    sure: float = 0.7

    def __post_init__(self):
        checked_settings(self.find, self.smallest)
        if not 0 < self.sure < 1:
            raise InputError(f"sure is {self.sure:g}; a score lies between 0 and 1")
        _ = _state(self.path)
        refuse_missing("yunet", "YuNet needs", "onnxruntime", otherwise=", or use the cascade")

    @property
    def fingerprint(self) -> str:
        """All settings, the hash of the model, and the versions of the computation."""
        model = f"onnxruntime={version('onnxruntime')} model={sha256(self.path)[:16]}"
        return f"yunet/{VERSION} {model} find={self.find} smallest={self.smallest} sure={self.sure}"

    def __call__(self, pixels: np.ndarray) -> list[Face]:
        """The faces of uint8 ``(height, width, 1 or 3)`` pixels, RGB, the largest first; an empty list for none.

        Raises:
            ValueError: pixels of another shape or type.
            InputError: a file that is no YuNet network.
        """
        session = _session(str(self.path), _state(self.path))
        rgb = in_colour(pixels, "rgb")
        height, width = rgb.shape[:2]
        entry = session.get_inputs()[0]
        own = entry.shape[2:]  # rows and columns; names where any size is taken
        room = (own[1], own[0]) if all(isinstance(side, int) for side in own) else (LONGEST, LONGEST)
        scale = min(1.0, room[0] / width, room[1] / height)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        if room == (LONGEST, LONGEST) and not isinstance(own[0], int):
            room = tuple(-(-side // STRIDES[-1]) * STRIDES[-1] for side in size)
        given = np.zeros((1, 3, room[1], room[0]), dtype=np.float32)
        copy = np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.BILINEAR))
        given[0, :, : size[1], : size[0]] = copy[..., ::-1].transpose(2, 0, 1)  # the network was trained on BGR
        names = [f"{kind}_{stride}" for kind in OUTPUTS for stride in STRIDES]
        outputs = dict(zip(names, session.run(names, {entry.name: given})))
        least = self.smallest * min(height, width)
        faces = [_scaled(face, scale) for face in decode_yunet(outputs, room[0], room[1], self.sure)]
        return wanted(self.find, [face for face in faces if face.width >= least])


def decode_yunet(outputs: Mapping[str, np.ndarray], width: int, height: int, sure: float) -> list[Face]:
    """The faces that YuNet's outputs stand for, the surest first, each once.

    At the place in row r and column c of a grid with stride s, with score ``sqrt(cls obj)``, the box has its centre at
    ``s (c + b0, r + b1)`` and the size ``s (exp b2, exp b3)``; landmark n lies at ``s (c + k[2n], r + k[2n + 1])``.

    Args:
        outputs: ``cls_8``, ``obj_8``, ``bbox_8`` and ``kps_8`` with 1, 1, 4 and 10 numbers at each place, row by row,
            in any shape, and the same for 16 and 32.
        width: of the network's input, a multiple of 32.
        height: of the network's input, a multiple of 32.
        sure: the lowest score of a face.

    Returns:
        Faces in pixels of the network's input; of boxes that overlap by more than 0.3 only the surest.
    """
    scores, boxes, points = [], [], []
    for stride in STRIDES:
        rows, columns = height // stride, width // stride
        cls, obj, box, kps = (outputs[f"{kind}_{stride}"].reshape(-1, size) for kind, size in OUTPUTS.items())
        corner = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=2).reshape(-1, 2)
        score = np.sqrt(np.clip(cls[:, 0], 0, 1) * np.clip(obj[:, 0], 0, 1))
        high = score >= sure
        corner, box, kps = corner[high].astype(np.float64), box[high].astype(np.float64), kps[high]
        size = np.exp(box[:, 2:]) * stride
        scores.append(score[high])
        boxes.append(np.concatenate([(corner + box[:, :2]) * stride - size / 2, size], axis=1))
        points.append((kps.reshape(-1, 5, 2) + corner[:, None]) * stride)
    score, box, kps = (np.concatenate(parts) for parts in (scores, boxes, points))
    order = np.argsort(-score, kind="stable")
    score, box, kps = score[order], box[order], kps[order]
    same, kept = overlaps(box) > SAME, []
    for row in range(len(score)):
        if not same[row, kept].any():
            kept.append(row)
    faces = []
    for row in kept:
        left, top, wide, high = map(float, box[row])
        landmarks = tuple((float(x), float(y)) for x, y in kps[row])
        faces.append(Face(left, top, wide, high, float(score[row]), landmarks))
    return faces


def _scaled(face: Face, scale: float) -> Face:
    points = None if face.landmarks is None else tuple((x / scale, y / scale) for x, y in face.landmarks)
    return Face(face.left / scale, face.top / scale, face.width / scale, face.height / scale, face.score, points)


def _state(path: str | Path) -> tuple[int, int]:
    if not Path(path).is_file():
        raise InputError(f"there is no file {path}; give the path of a YuNet network (.onnx)")
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns


@lru_cache(maxsize=2)
def _session(path: str, state: tuple[int, int]) -> Any:
    """The network at work in this process; ``state`` is that of the file."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # sums over several threads round differently
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a class of its own for every way in which a file is no network
        raise InputError(f"{path} is no network that onnxruntime can run: {str(error).splitlines()[0]}") from error
    lacking = {f"{kind}_{stride}" for kind in OUTPUTS for stride in STRIDES} - {o.name for o in session.get_outputs()}
    if lacking:
        raise InputError(
            f"{path} is no YuNet network: it has no output {min(lacking)}; "
            "face_detection_yunet_2023mar.onnx of OpenCV's model zoo is one"
        )
    return session
