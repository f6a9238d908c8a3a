"""A study at work on a cluster, as its folder sees it; what its nodes do is done in the test's own process."""

from contextlib import nullcontext

import pytest

from affectspace.clusters import Node, RayAt, Sight, wanted
from affectspace.clusters.sight import _tell, judged
from affectspace.corpora import make_synthetic_world
from affectspace.errors import InputError
from affectspace.studies import execute
from affectspace.studies.claimed import perform_claimed
from affectspace.studies.execute import run_study
from affectspace.studies.job import Answer
from affectspace.studies.overview import overview

ANT = Node("1", "ant", "10.0.0.7", 1)


def test_a_node_that_joins_late_still_finds_the_file_by_which_it_is_asked(lay_tiny, here, monkeypatch, tmp_path):
    """Whatever is swept meanwhile: by runs, by a second call for the folder, by a look at how things stand."""
    make_synthetic_world(tmp_path / "world", ("alva", "boro"), speakers=4, items_per_speaker=8)
    values = {"name": "tiny", "seeds": 3, "recipes": [{"name": "CE", "path": "recipe.toml"}]}
    path = lay_tiny(tmp_path, values | {"splits": [{"name": "there"}]}, tmp_path / "world")
    out, judgements = tmp_path / "out", []

    class Asking(here):
        def __init__(self, asking):
            super().__init__(1)
            self.asking = asking

        def __enter__(self):
            self.wanted = self.asking.__enter__()
            return self

        def __exit__(self, *how):
            self.asking.__exit__(*how)

        def run(self, jobs, tell):
            for job in jobs:
                answer = perform_claimed(job.asked, self.cache)
                del answer["files"]
                tell(job, Answer(**answer))
                assert overview(out).at_work
                with pytest.raises(InputError, match="another process is at work on the study"):
                    run_study(path, out)
                said = _tell(self.wanted.folder, self.wanted.token[0], [])
                judgements.append(judged(ANT, self.wanted, said, said["time"], said["time"]))

    monkeypatch.setattr(execute, "connected", lambda on: nullcontext())
    monkeypatch.setattr(execute, "cluster_pool", lambda on, folder, *_: Asking(wanted(folder)))
    out.mkdir()
    (out / ".0123456789abcdef.seen.partial").write_text("of a call that was killed")
    assert run_study(path, out, on=RayAt()).ran == 3
    assert judgements == [Sight(ANT)] * 3
    assert not list(out.glob(".*.partial"))
