"""A run folder that is written line by line, a guard against sending, and W&B's file format."""

import json
import math
import socket
import struct

import pytest
import tomli_w

from affectspace.files import json_text, write_json, write_text
from affectspace.trackers.names import epoch_name

RECIPE = {
    "name": "twopoles",
    "seed": 3,
    "corpora": [{"path": "alva"}, {"path": "boro"}],
    "labels": {"names": ["calm", "excited"], "soft": True, "map": {}},
    "terms": [{"kind": "triplet", "weight": 0.1}],
}
DATA = {
    "corpora": [
        {"name": "alva", "sha256": "a" * 64, "items_sha256": "b" * 64},
        {"name": "bôro", "sha256": "c" * 64, "corrections": {"sha256": "d" * 64}},
    ],
    "protocol": "alva -> bôro",
    "files_sha256": {"finder.onnx": "e" * 64},
}
METRICS = {
    "name": "twopoles",
    "seed": 3,
    "classes": ["calm", "excited"],
    "selected_epoch": 2,
    "selection": "validation",
    "counts": {"test": 5},
    "without_triplet": None,
    "transductive": False,
    "test": {"uar": 0.1 + 0.2, "similarity_rho": None},
    "unseen": {"Gefühl/🎭": {"uar": 0.25}},
    "by_modality": {"acoustic+lexical": {"uar": 0.5, "items": 4}},
    "over_speakers": {"speakers": 8, "uar": [0.3, 0.6]},
}
FINAL = {
    "final/selected_epoch": 2.0,
    "final/counts.test": 5.0,
    "final/test.uar": 0.1 + 0.2,
    "final/test.similarity_rho": math.nan,
    "final/unseen.Gefühl/🎭.uar": 0.25,
    "final/by_modality.acoustic+lexical.uar": 0.5,
    "final/by_modality.acoustic+lexical.items": 4.0,
    "final/over_speakers.speakers": 8.0,
    "final/over_speakers.uar.0": 0.3,
    "final/over_speakers.uar.1": 0.6,
    "final/seconds": 1.5,
}


def line(epoch, shift=0.0):
    """A line of metrics.jsonl; no binary fraction of 32 bits equals its figures, and one is not finite at times."""
    return {
        "epoch": epoch,
        "loss": 1 / (epoch + 2) + shift,
        "terms": {"triplet": math.pi / epoch},
        "batches": 7,
        "taught_nothing": {"triplet": {"items": epoch}},
        "figures": {"adversary.accuracy": 0.1},
        "validate": {"uar": 0.1 * epoch, "ece": None if epoch == 2 else 0.3},
        "test": {"uar": 0.7},
    }


class Growing:
    """A run that is trained line by line."""

    def __init__(self, path, **recipe):
        self.path, self.lines = path, []
        path.mkdir(parents=True)
        write_text(path / "environment.txt", "affectspace 0\n")
        write_json(path / "data.json", DATA)
        write_text(path / "recipe.toml", tomli_w.dumps(RECIPE | recipe))

    def epochs(self, *epochs, shift=0.0):
        """Tell these epochs, after the lines that are there."""
        return self.rewrite([*self.lines, *(line(epoch, shift) for epoch in epochs)])

    def rewrite(self, lines):
        self.lines = lines
        write_text(self.path / "metrics.jsonl", "".join(json_text(each) + "\n" for each in lines))
        return self

    def finish(self):
        write_json(self.path / "timing.json", {"seconds": 1.5})
        write_json(self.path / "metrics.json", METRICS)
        return self

    def points(self):
        """What the lines say, read as simply as can be: (name, epoch) to value."""
        told = {}
        for text in (self.path / "metrics.jsonl").read_text().splitlines():
            row = json.loads(text)
            stack = [((key,), value) for key, value in row.items() if key != "epoch"]
            while stack:
                way, value = stack.pop()
                if isinstance(value, dict):
                    stack += [((*way, key), inner) for key, inner in value.items()]
                else:
                    told[epoch_name(".".join(way)), row["epoch"]] = math.nan if value is None else float(value)
        return told


@pytest.fixture
def begin(tmp_path):
    """``begin("runs/mine")``: a run folder with nothing told yet."""
    return lambda name="mine", **recipe: Growing(tmp_path / name, **recipe)


@pytest.fixture
def final():
    return dict(FINAL)


@pytest.fixture
def equal():
    """Whether two tables of figures are equal, NaN to NaN."""

    def compare(found, expected):
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert found[name] == value or (math.isnan(found[name]) and math.isnan(value)), name
        return True

    return compare


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """No test of this folder reaches for a network; a socket to a process of this machine is none."""

    def guarded(name):
        plain = getattr(socket.socket, name)

        def connect(self, address, *rest):
            if self.family != socket.AF_UNIX:
                raise AssertionError(f"something connects to {address}")
            return plain(self, address, *rest)

        return connect

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, guarded(name))


@pytest.fixture(scope="session")
def wandb_records():
    """``wandb_records(path)``: the records of a ``.wandb`` file.

    It is a log as LevelDB's, after 7 bytes: blocks of 32 KiB, and in them pieces of records after 4 bytes of checksum,
    2 of length, and 1 that says whether a piece is whole (1), the first (2), in the middle (3) or the last (4).
    """
    pb = pytest.importorskip("wandb.proto.wandb_internal_pb2")

    def read(path):
        content, place, records, parts = path.read_bytes(), 7, [], b""
        assert content[:4] == b":W&B"
        while place + 7 <= len(content):
            if 32768 - place % 32768 < 7:
                place += 32768 - place % 32768
                continue
            _, length, kind = struct.unpack_from("<IHB", content, place)
            parts += content[place + 7 : place + 7 + length]
            place += 7 + length
            if kind in (1, 4):
                records.append(pb.Record.FromString(parts))
                parts = b""
        return records

    return read
