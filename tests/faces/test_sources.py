"""Which part of which medium of a corpus's item is looked at for faces."""

import pandas as pd

from affectspace.faces.sources import open_sources


def test_a_box_is_of_the_video_where_the_item_has_no_image(tmp_path):
    rows = [
        {"id": "film", "video": "a.mp4", "box": "360 0 360 480"},
        {"id": "both", "video": "a.mp4", "image": "a.png", "box": "1 2 3 4"},
        {"id": "photo", "image": "a.png", "box": " 1 2 3 4 "},
        {"id": "whole", "image": "a.png"},
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "items.csv", index=False)
    found = {source.id: (source.told, source.video, source.box) for source in open_sources(tmp_path).sources}
    assert found == {
        "film": ("a.mp4", True, "360 0 360 480"),
        "both": ("a.mp4", True, ""),
        "photo": ("a.png", False, "1 2 3 4"),
        "whole": ("a.png", False, ""),
    }
