"""What a model reads of its items, in words, from the fingerprint of its features."""

import re

__all__ = ["feature_words"]


def feature_words(fingerprint: str) -> str:
    """A sentence that says what features are, and in brackets the versions that made them.

    Args:
        fingerprint: as a front end of :mod:`affectspace.features` gives it; of an unknown one it is given back.

    Example:
        >>> feature_words("faces/1 pillow=11.0 side=48 colour=grey finder=None")
        'pictures of 48 x 48 pixels in grey, each taken for a crop of a face as it is (faces/1, Pillow 11.0)'
        >>> feature_words("log_mel/2 bands=40 sample_rate=16000 frame_ms=25.0 step_ms=10.0 low_hz=20.0 level=None")
        '40 log-Mel energies of frames of 25 ms, every 10 ms, of sound at 16000 Hz (log_mel/2)'
    """
    if " | " in fingerprint:  # of modalities, each behind its name
        parts = (part.partition(": ") for part in fingerprint.split(" | "))
        return "; ".join(f"{name}: {feature_words(told)}" for name, _, told in parts)
    made, _, settings = fingerprint.partition(" ")
    # Brackets hold the fingerprint of what works within, which has settings of its own.
    given = dict(re.findall(r"(\w+)=(\[[^\]]*\]|\S+)", settings))
    try:
        match made.partition("/")[0]:
            case "faces":
                finder = "" if given["finder"] == "None" else f"; {given['finder'].strip('[]')}"
                return f"{_faces(given)} ({made}, Pillow {given['pillow']}{finder})"
            case "face_sequence":
                return _film(given, made)
            case "log_mel":
                frame, step = (float(given[name]) for name in ("frame_ms", "step_ms"))
                sound = f"sound at {given['sample_rate']} Hz{_loudness(given)}"
                every = f"of frames of {frame:g} ms, every {step:g} ms"
                return f"{given['bands']} log-Mel energies {every}, of {sound} ({made})"
            case "functionals":
                told = f"functionals {given['set']} of openSMILE, of sound at {given['sample_rate']} Hz"
                return f"{told}{_loudness(given)} ({made}, openSMILE {given['opensmile']})"
            case "relative_functionals":
                told = f"how {given['set']}'s descriptors move within a recording at {given['sample_rate']} Hz"
                told = f"functionals {given['set']} of openSMILE, and {told}" if "absolute" in given else told
                return f"{told}{_loudness(given)} ({made}, openSMILE {given['opensmile']})"
            case "vectors":
                whole = re.search(r"columns=(.*) content=(.*)", settings)
                names = ", ".join(re.findall(r"'([^']*)'", whole[1])) if whole else ""
                columns = f", columns {names}" if names else ""
                return f"vectors that were made before{columns} ({made}, content {whole[2] if whole else '?'})"
            case "word_vectors":
                table = f"{made}, content {given['content']}"
                return f"the first {given['words']} words, as vectors of a table ({table})"
            case "pretrained_speech":
                model = f"{made}, {given['family']}, transformers {given['transformers']}, content {given['content']}"
                layers = ", ".join(given["layers"].split(","))
                time = {"mean": "means over each recording", "none": "frame by frame"}[given["pool"]]
                return f"hidden states {layers} of a speech model, {time} ({model})"
            case "waveform":
                return f"samples of sound at {given['sample_rate']} Hz ({made})"
            case "pretrained_text":
                model = f"{made}, transformers {given['transformers']}, content {given['content']}"
                return f"the first {given['words']} words, as vectors of a pretrained model ({model})"
    except (KeyError, ValueError):  # of another version, whose settings have other names
        pass
    return fingerprint


def _faces(given: dict[str, str]) -> str:
    colour = {"grey": "grey", "rgb": "colour"}[given["colour"]]
    pictures = f"of {given['side']} x {given['side']} pixels in {colour}"
    if given["finder"] == "None":
        return f"pictures {pictures}, each taken for a crop of a face as it is"
    return f"crops {pictures}, of the face that {_finder(given)} finds"


def _finder(given: dict[str, str]) -> str:
    who = {"cascade": "the cascade of scikit-image", "yunet": "a YuNet network"}
    name = given["finder"].strip("[]").partition("/")[0]
    return who.get(name, name)


def _film(given: dict[str, str], made: str) -> str:
    encoder = given["encoder"].strip("[]")
    side = re.search(r"\bside=(\d+)", encoder)
    what = {
        "pixels": f"its pixels at {side[1]} x {side[1]}" if side else "its pixels",
        "pretrained_images": "a vector of a pretrained model",
    }.get(encoder.partition("/")[0], "a vector of a net")
    colour = {"grey": "grey", "rgb": "colour"}[given["colour"]]
    crops = f"crops of {given['side']} x {given['side']} pixels in {colour}, of the face that {_finder(given)} finds"
    versions = f"{made}, PyAV {given['av']}, Pillow {given['pillow']}; {given['finder'].strip('[]')}; {encoder}"
    frames = f"the first {given['frames']} frames of a film, {float(given['per_second']):g} a second"
    return f"{frames}: {crops}, and of each crop {what} ({versions})"


def _loudness(given: dict[str, str]) -> str:
    level = given.get("level", "None")
    return "" if level == "None" else f", scaled to {float(level):g} dB of full scale"
