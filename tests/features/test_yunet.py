"""YuNet's outputs mean what they mean in OpenCV: shown on networks that are made up, for the real one is not ours."""

import numpy as np
import pytest

from affectspace.errors import InputError
from affectspace.features.yunet import YuNetFinder, decode_yunet

random = np.random.default_rng(0)


def made_up_outputs(width, height, share=0.3):
    outputs = {}
    for stride in (8, 16, 32):
        places = (width // stride) * (height // stride)
        outputs[f"cls_{stride}"] = random.uniform(-0.2, 1.2, (1, places, 1)).astype(np.float32)
        outputs[f"obj_{stride}"] = (random.random((1, places, 1)) < share).astype(np.float32)
        outputs[f"bbox_{stride}"] = random.normal(0, 0.3, (1, places, 4)).astype(np.float32)
        outputs[f"kps_{stride}"] = random.normal(0, 1, (1, places, 10)).astype(np.float32)
    return outputs


def slow(outputs, width, height, sure):
    """Place by place, then box by box against those that are kept."""
    found = []
    for stride in (8, 16, 32):
        cls, obj, bbox, kps = (outputs[f"{kind}_{stride}"][0] for kind in ("cls", "obj", "bbox", "kps"))
        for row in range(height // stride):
            for column in range(width // stride):
                at = row * (width // stride) + column
                score = (min(max(float(cls[at, 0]), 0), 1) * min(max(float(obj[at, 0]), 0), 1)) ** 0.5
                if score < sure:
                    continue
                w, h = np.exp(float(bbox[at, 2])) * stride, np.exp(float(bbox[at, 3])) * stride
                left = (column + float(bbox[at, 0])) * stride - w / 2
                top = (row + float(bbox[at, 1])) * stride - h / 2
                points = [((column + kps[at, 2 * n]) * stride, (row + kps[at, 2 * n + 1]) * stride) for n in range(5)]
                found.append((score, left, top, w, h, points))
    kept = []
    for face in sorted(found, key=lambda face: -face[0]):
        _, left, top, w, h, _ = face
        for _, other_left, other_top, other_w, other_h, _ in kept:
            wide = max(0, min(left + w, other_left + other_w) - max(left, other_left))
            high = max(0, min(top + h, other_top + other_h) - max(top, other_top))
            if wide * high / (w * h + other_w * other_h - wide * high) > 0.3:
                break
        else:
            kept.append(face)
    return kept


@pytest.mark.parametrize("sure", [0.3, 0.9])
def test_outputs_are_decoded_as_one_by_one(sure):
    outputs = made_up_outputs(96, 64)
    faces, told = decode_yunet(outputs, 96, 64, sure), slow(outputs, 96, 64, sure)
    assert len(faces) == len(told) > 1
    for face, (score, left, top, width, height, points) in zip(faces, told):
        assert (face.score, face.left, face.top, face.width, face.height) == pytest.approx(
            (score, left, top, width, height), rel=1e-5
        )
        assert np.allclose(face.landmarks, points, atol=1e-4)


def test_nothing_is_found_where_nothing_is_sure():
    assert decode_yunet(made_up_outputs(64, 64, share=0.0), 64, 64, 0.5) == []


# a network of ours with YuNet's outputs, which sees a face wherever a whole cell is red


def varint(number):
    out = bytearray()
    while True:
        out.append(number & 0x7F | (0x80 if number > 0x7F else 0))
        number >>= 7
        if not number:
            return bytes(out)


def field(number, value):
    """A field of a protocol buffer: a whole number, or text, bytes or a message within."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    content = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(content)) + content


def tensor(name, values):
    kind = {"float32": 1, "int64": 7}[str(values.dtype)]
    shape = b"".join(field(1, side) for side in values.shape)
    return field(5, shape + field(2, kind) + field(8, name) + field(9, values.tobytes()))


def node(kind, inputs, output, **attributes):
    content = b"".join(field(1, name) for name in inputs) + field(2, output) + field(4, kind)
    for name, numbers in attributes.items():
        content += field(5, field(1, name) + b"".join(field(8, number) for number in numbers) + field(20, 7))
    return field(1, content)


def value(place, name, shape):
    sides = b"".join(field(1, field(1 if isinstance(side, int) else 2, side)) for side in shape)
    return field(place, field(1, name) + field(2, field(1, field(1, 1) + field(2, sides))))


BOX = [0.5, 0.5, np.log(3), np.log(4)]  # about the middle of the cell, three cells wide and four high
POINTS = [0, 0, 1, 0, 0.5, 0.5, 0, 1, 1, 1]  # the corners of the cell, and its middle


def network(path, size=("height", "width"), kinds=("cls", "obj", "bbox", "kps"), sees=1):
    graph = field(2, "red")
    for stride in (8, 16, 32):
        for kind in kinds:
            bias = np.array({"bbox": BOX, "kps": POINTS}.get(kind, [0]), np.float32)
            weight = np.zeros((len(bias), 3, stride, stride), np.float32)
            if kind in {"cls", "obj"}:
                weight[:, 0], weight[:, 1], weight[:, 2] = -1, -1, sees  # of blue, green, red
            name, square = f"{kind}_{stride}", [stride, stride]
            graph += tensor(f"w_{name}", weight / (255 * stride * stride)) + tensor(f"b_{name}", bias)
            graph += tensor(f"s_{name}", np.array([1, -1, len(bias)], np.int64))
            graph += node("Conv", ["input", f"w_{name}", f"b_{name}"], f"c_{name}", kernel_shape=square, strides=square)
            graph += node("Transpose", [f"c_{name}"], f"t_{name}", perm=[0, 2, 3, 1])
            graph += node("Reshape", [f"t_{name}", f"s_{name}"], name)
            graph += value(12, name, (1, "places", len(bias)))
    graph += value(11, "input", (1, 3, *size))
    path.write_bytes(field(1, 8) + field(8, field(1, "") + field(2, 13)) + field(7, graph))
    return path


@pytest.fixture
def red(tmp_path):
    pytest.importorskip("onnxruntime")
    return network(tmp_path / "red.onnx")


def picture(height, width, *squares, colour=(255, 0, 0)):
    pixels = np.zeros((height, width, 3), np.uint8)
    for left, top, side in squares:
        pixels[top : top + side, left : left + side] = colour
    return pixels


def test_a_face_is_found_in_its_place(red):
    (face,) = YuNetFinder(red, smallest=0.01)(picture(470, 630, (160, 80, 8)))
    assert (face.left, face.top, face.width, face.height) == pytest.approx((164 - 12, 84 - 16, 24, 32), abs=1e-3)
    assert face.score == pytest.approx(1, abs=1e-5)
    assert np.allclose(face.landmarks, [(160, 80), (168, 80), (164, 84), (160, 88), (168, 88)], atol=1e-3)


def test_the_network_is_given_blue_green_red(red):
    """RGB given as BGR would find blue."""
    assert YuNetFinder(red, smallest=0.01)(picture(64, 64, (16, 16, 8), colour=(0, 0, 255))) == []


def test_the_largest_or_all_from_a_certain_size(red):
    """A square of several cells is a face to every stride."""
    pixels = picture(320, 320, (0, 0, 8), (64, 128, 32), (256, 16, 16))
    everything = YuNetFinder(red, find="all", smallest=0.01)(pixels)
    sizes = [round(face.width) for face in everything]
    assert sizes == sorted(sizes, reverse=True)
    assert set(sizes) == {96, 48, 24}
    assert YuNetFinder(red, smallest=0.01)(pixels) == everything[:1]
    assert {round(face.width) for face in YuNetFinder(red, find="all", smallest=0.1)(pixels)} == {96, 48}


def test_a_large_picture_is_scaled_down_and_its_faces_up_again(red):
    (face,) = YuNetFinder(red, smallest=0.01, sure=0.6)(picture(960, 1280, (320, 160, 16)))
    assert (face.left, face.top, face.width, face.height) == pytest.approx((328 - 24, 168 - 32, 48, 64), abs=1e-3)


@pytest.mark.parametrize("shape", [(160, 320), (320, 100), (320, 320)])
def test_a_network_of_one_size_is_given_that_size(tmp_path, shape):
    pytest.importorskip("onnxruntime")
    finder = YuNetFinder(network(tmp_path / "fixed.onnx", size=(320, 320)), smallest=0.01)
    (face,) = finder(picture(*shape, (16, 64, 16)))
    assert (face.left, face.top, face.width, face.height) == pytest.approx((24 - 24, 72 - 32, 48, 64), abs=1e-3)


def test_the_fingerprint_follows_the_model_and_the_settings(tmp_path, red):
    one = YuNetFinder(red).fingerprint
    assert one.startswith("yunet/1 onnxruntime=")
    assert YuNetFinder(red, sure=0.8).fingerprint != one
    assert YuNetFinder(network(tmp_path / "b.onnx")).fingerprint == one  # wherever the file lies
    assert YuNetFinder(network(tmp_path / "c.onnx", size=(64, 64))).fingerprint != one


def test_a_network_in_place_of_another_is_opened(tmp_path, red):
    """In one process, where the other is still open."""
    pixels, finder = picture(64, 64, (16, 16, 8)), YuNetFinder(red, smallest=0.01)
    assert len(finder(pixels)) == 1
    blind = network(tmp_path / "blind.onnx", sees=0)
    blind.replace(red)
    assert finder(pixels) == []
    red.unlink()
    with pytest.raises(InputError, match=r"there is no file .*red\.onnx; give the path of a YuNet network"):
        finder(pixels)


def test_what_is_no_network(tmp_path, red):
    with pytest.raises(InputError, match=r"there is no file .*none\.onnx; give the path of a YuNet network"):
        YuNetFinder(tmp_path / "none.onnx")
    (tmp_path / "words.onnx").write_text("These are words.")
    with pytest.raises(InputError, match=r"words\.onnx is no network that onnxruntime can run"):
        YuNetFinder(tmp_path / "words.onnx")(picture(64, 64))
    other = network(tmp_path / "other.onnx", kinds=("cls", "obj", "bbox"))
    with pytest.raises(InputError, match=r"other\.onnx is no YuNet network: it has no output kps_16; face_detection"):
        YuNetFinder(other)(picture(64, 64))
    with pytest.raises(InputError, match="sure is 1; a score lies between 0 and 1"):
        YuNetFinder(red, sure=1)


def test_without_onnxruntime_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'not installed; pip install "affectspace\[yunet\]", or use the cascade'):
        YuNetFinder(network(tmp_path / "a.onnx"))
