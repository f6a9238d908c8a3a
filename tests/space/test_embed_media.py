"""Which recordings of a corpus are read to be embedded."""

import pytest

from affectspace.errors import InputError
from affectspace.space.embed import _media


@pytest.mark.parametrize("way", ["../secret.wav", "link.wav"])
def test_a_path_that_leaves_the_root_is_refused(tmp_path, way):
    root = tmp_path / "corpus"
    root.mkdir()
    (tmp_path / "secret.wav").write_bytes(b"RIFF")
    (root / "link.wav").symlink_to(tmp_path / "secret.wav")
    (root / "items.csv").write_text(f"id,audio,label\na,{way},sad\n")
    with pytest.raises(InputError, match=f"path '{way}' leaves its root"):
        _media(root)
