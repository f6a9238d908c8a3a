"""Which nodes can do work, by what they have told."""

from dataclasses import replace
from importlib.metadata import version

import pytest

import affectspace
from affectspace.clusters import Node, Sight, Unfit, Wanted, wanted
from affectspace.clusters.sight import Asked, _by_value, _tell, judged, look, refuse_none
from affectspace.errors import InputError

NODE = Node("1", "ant (10.0.0.7)", "10.0.0.7", 4)
TORCH = version("torch").partition("+")[0]


def told(tmp_path, **changes):
    """What this machine would tell as a node."""
    with wanted(tmp_path, {"/": "corpus alva"}, ["/", "/nowhere"]) as want:
        answer = _tell(want.folder, want.token[0], [*want.needed, *want.asked])
    return want, answer | changes


def judge(want: Wanted, answer: dict, around: float = 0.0):
    return judged(NODE, want, answer, answer["time"] - around - 1, answer["time"] - around + 1)


def test_this_machine_would_do(tmp_path):
    want, answer = told(tmp_path)
    assert answer["versions"] == {"affectspace": affectspace.__version__, "torch": version("torch")}
    assert judge(want, answer) == Sight(NODE, 0.0, frozenset({"/"}))


@pytest.mark.parametrize(("changes", "why"), [
    ({"versions": {}}, f"affectspace is not installed there; install affectspace {affectspace.__version__} in the"),
    ({"versions": {"affectspace": affectspace.__version__}}, f"torch is not installed there; install torch {TORCH} in"),
    ({"versions": {"affectspace": "0.0.1", "torch": TORCH}}, "it has affectspace 0.0.1, and this is"),
    ({"versions": {"affectspace": affectspace.__version__, "torch": "1.0"}}, "it has torch 1.0, and this is"),
    ({"says": None}, "it does not see the folder {folder} as it is here; mount the same storage at the same path"),
    ({"says": "of another folder"}, "it does not see the folder {folder} as it is here"),
    ({"writes": False}, "it may not write to {folder}; let the user that runs Ray there write to it"),
    ({"seen": []}, "it does not see corpus alva at /; mount or copy it to the same path there"),
])  # fmt: skip
def test_whatever_a_node_lacks_is_told_with_its_remedy(tmp_path, changes, why):
    found = judge(*told(tmp_path, **changes))
    assert isinstance(found, Unfit)
    assert found.why.startswith(why.format(folder=tmp_path))


def test_where_a_gpu_is_needed_a_node_without_one_is_told_how_to_offer_it(tmp_path):
    want, answer = told(tmp_path)
    found = judge(replace(want, gpu=True), answer)
    assert isinstance(found, Unfit)
    assert found.why == (
        'it offers no GPU, and training.device is "cuda"; start Ray there with --num-gpus where it has one, or train '
        'by "cpu" or "auto"'
    )
    having = judged(replace(NODE, gpus=1), replace(want, gpu=True), answer, answer["time"], answer["time"])
    assert isinstance(having, Sight)


def test_a_build_of_torch_for_another_device_is_no_other_torch(tmp_path):
    versions = {"affectspace": affectspace.__version__, "torch": TORCH + "+cu999"}
    assert isinstance(judge(*told(tmp_path, versions=versions)), Sight)


@pytest.mark.parametrize(("off", "ahead"), [(0.5, 0.0), (-0.5, 0.0), (61.0, 60.0), (-61.0, -60.0), (2.5, 1.5)])
def test_clocks_are_said_to_differ_by_what_is_certain(tmp_path, off, ahead):
    found = judge(*told(tmp_path), off)
    assert found.ahead == pytest.approx(ahead)
    assert bool(found.note) == (abs(ahead) > 2)


def test_a_folder_that_is_not_there_is_not_waited_for(tmp_path):
    answer = _tell(str(tmp_path / "none"), str(tmp_path / "none/token"), [])
    assert (answer["says"], answer["writes"]) == (None, False)


def test_what_is_sent_to_a_node_needs_nothing_of_ours():
    sent = _by_value(_tell)
    assert (sent.__module__, set(sent.__globals__)) == ("__main__", {"__builtins__"})
    assert sent("/none", "/none/token", ["/"])["seen"] == ["/"]


def test_where_no_node_will_do_all_reasons_are_told():
    refuse_none([Sight(NODE)], [])
    with pytest.raises(InputError, match=r"no node of the Ray cluster can do the work: ant \(10.0.0.7\): it is off"):
        refuse_none([], [Unfit(NODE, "it is off")])
    with pytest.raises(InputError, match="none of them offers a CPU"):
        refuse_none([], [])


def test_nodes_that_do_not_answer_are_awaited_at_once_and_told(monkeypatch):
    """Of four one answers, one is lost, one says nothing, and of one the answer is lost on the way."""
    ray = pytest.importorskip("ray")
    from ray.exceptions import GetTimeoutError, RayError

    def begin(self, node, asking):
        self.node, self.wanted, self._sent, self.answer = node, asking, 0.0, node.id

    def get(answer, timeout):
        if answer != "here":
            raise {"lost": RayError, "late": GetTimeoutError}[answer]("")
        return {"time": 0.0}

    waited = []
    monkeypatch.setattr(Asked, "__init__", begin)
    monkeypatch.setattr(ray, "wait", lambda refs, **how: waited.append(refs) or (["here", "lost", "late"], ["silent"]))
    monkeypatch.setattr(ray, "get", get)
    monkeypatch.setattr("affectspace.clusters.sight.judged", lambda node, *_: Sight(node))
    fit, unfit = look([replace(NODE, id=name) for name in ("here", "lost", "late", "silent")], Wanted("/", ("", "")))
    assert waited == [["here", "lost", "late", "silent"]]
    assert [each.node.id for each in fit] == ["here"]
    why = "it did not answer within 60 s; see to it, or take it out of the cluster"
    assert [(each.node.id, each.why) for each in unfit] == [("late", why), ("silent", why)]
