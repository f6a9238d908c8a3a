"""What ``--on`` may say."""

import pytest

from affectspace.clusters import Local, RayAt, Slurm, where
from affectspace.errors import InputError


def test_every_engine_has_its_word():
    assert [where(text) for text in ("local", "ray", "slurm")] == [Local(), RayAt("auto"), Slurm()]
    for address in ("ray://head:10001", "ray://10.0.0.7:1", "ray://[::1]:65535", "ray://a.b-c.org:10001"):
        assert where(address) == RayAt(address)


@pytest.mark.parametrize("text", ["", "Ray", "spark", "head:6379", "ray:", "local "])
def test_other_words_are_refused_with_all_that_are_legal(text):
    with pytest.raises(InputError) as caught:
        where(text)
    assert str(caught.value).startswith(f"--on is {text!r}; legal: local, ray, ray://HOST:PORT, slurm")


@pytest.mark.parametrize("text", ["ray://", "ray://head", "ray://head:", "ray://head:0", "ray://head:65536",
                                  "ray://me@head:1", "ray://head:10001/x", "ray://a b:1"])  # fmt: skip
def test_an_address_without_a_port_is_told_which_one_is_usual(text):
    with pytest.raises(InputError, match="Ray's own port is 10001 unless it was started with another"):
        where(text)
