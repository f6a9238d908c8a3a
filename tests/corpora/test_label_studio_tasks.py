"""Tasks and their page: whatever stands in a label or a path comes back out of the XML and the address."""

import base64
import io
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from affectspace.corpora.label_studio_tasks import NONE_OF_THESE, label_config, make_tasks, served_from
from affectspace.errors import InputError

ODD = ["<b>\"A\" & 'B'</b>", 'name="answer"', "ünï", "a\tb\nc", "]]>", "sad"]


def test_any_class_comes_back_out_of_the_page():
    page = ElementTree.fromstring(label_config(ODD, ["audio", "text"]))
    assert [choice.get("value") for choice in page.iter("Choice")] == [*ODD, NONE_OF_THESE]
    choices = page.find("Choices")
    assert choices is not None
    assert choices.attrib == {"name": "answer", "toName": "audio", "choice": "single", "required": "true"}
    assert [(tag, page.find(tag).get("value")) for tag in ("Audio", "Text")] == [("Audio", "$audio"), ("Text", "$text")]
    assert page.find("Image") is None


def test_no_quote_of_a_class_ends_an_attribute():
    """Label Studio looks for names in the text of the page, too."""
    assert label_config(ODD, ["text"]).count('name="answer"') == 1


@pytest.mark.parametrize("name", ["$label", "none of these", " sad"])
def test_classes_that_label_studio_would_take_for_something_else(name):
    with pytest.raises(InputError, match=r"cannot be asked for: Label Studio reads a leading \$ as a column"):
        label_config(["sad", name], ["text"])


@pytest.mark.parametrize("name", ["red\x1b[31m", "a\x00", "\ud800", "\uffff"])
def test_a_class_that_xml_cannot_hold_is_refused(name):
    with pytest.raises(
        InputError, match=r"cannot be asked for: it holds .*, which the page, as XML, may not; give the"
    ):
        label_config(["sad", name], ["text"])


def test_a_page_needs_something_to_look_at_and_to_say():
    with pytest.raises(InputError, match="no item has a recording, picture, video or text"):
        label_config(["sad"], [])
    with pytest.raises(InputError, match="there are no classes to choose from"):
        label_config([], ["text"])


def test_an_address_leads_to_the_file(tmp_path):
    path = tmp_path / "a b" / "c&d=e#f+ü%20.flac"
    items = pd.DataFrame({"id": ["x/1"], "audio": [str(path)]})
    (task,), media = make_tasks(items, tmp_path)
    address = urlsplit(task["data"]["audio"])
    assert address.path == "/data/local-files/"
    assert parse_qs(address.query)["d"] == [path.relative_to(tmp_path).as_posix()]
    assert not address.fragment
    assert media == ["audio"]
    assert served_from(items) == tmp_path


def test_every_task_has_every_medium_and_the_most_frequent_is_answered_to():
    items = pd.DataFrame(
        {
            "id": ["x/1", "x/2", "x/3"],
            "audio": ["/d/1.wav", None, None],
            "text": ["a", "b", None],
            "suggested": ["sad", None, None],
            "start": [1.5, None, None],
        }
    )
    tasks, media = make_tasks(items, Path("/d"))
    assert media == ["text", "audio"]
    assert [task["data"]["audio"] for task in tasks] == ["/data/local-files/?d=1.wav", "", ""]
    assert [task["data"]["text"] for task in tasks] == ["a", "b", ""]
    assert [task["data"]["part"] for task in tasks] == ["from 1.50 s to its end", "all of it", "all of it"]
    assert [len(task.get("predictions", ())) for task in tasks] == [1, 0, 0]
    assert tasks[0]["predictions"][0]["result"][0]["to_name"] == "text"
    assert [task["data"]["label"] for task in tasks] == ["", "", ""]


def test_a_part_of_a_picture_is_put_into_the_task(tmp_path):
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[2:6, 1:5] = (255, 0, 0)
    Image.fromarray(pixels).save(tmp_path / "p.png")
    items = pd.DataFrame({"id": ["x/1"], "image": [str(tmp_path / "p.png")], "box": ["1 2 4 4"]})
    (task,), _ = make_tasks(items, tmp_path)
    head, content = task["data"]["image"].split(",")
    assert head == "data:image/png;base64"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(content)))), pixels[2:6, 1:5])


def test_a_file_elsewhere_is_refused_with_the_remedy():
    with pytest.raises(InputError, match=r"/e/1\.wav does not lie below /d, .*; name a folder above it by --root"):
        make_tasks(pd.DataFrame({"id": ["x/1"], "audio": ["/e/1.wav"]}), Path("/d"))


def test_nothing_is_served_where_there_are_only_words_and_tables():
    assert served_from(pd.DataFrame({"id": ["x/1"], "text": ["a"], "image": ["/d/faces.parquet#3"]})) is None
