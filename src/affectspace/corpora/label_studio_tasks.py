"""Items as tasks for Label Studio: what is to be labelled, a suggestion, and the page to answer on."""

import base64
import io
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import pandas as pd
from PIL import Image

from affectspace.errors import InputError
from affectspace.files import packed
from affectspace.media.boxes import crop_box
from affectspace.media.images import read_image

__all__ = ["ANSWER", "NONE_OF_THESE", "label_config", "make_tasks", "served_from"]

ANSWER = "answer"  # the control's name, and the column of its answers in JSON-MIN; "label" is what was seen
NONE_OF_THESE = "none of these"
TAGS = {"audio": "Audio", "image": "Image", "video": "Video", "text": "Text"}
NOT_IN_XML = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")  # even written as a number
LOCAL = "/data/local-files/?d="


def label_config(classes: Sequence[str], media: Sequence[str], parts: bool = False) -> str:
    """The page that annotators see, as the XML that Label Studio calls a labelling configuration.

    Args:
        classes: what they may answer; "none of these" comes with them.
        media: which of ``audio``, ``image``, ``video`` and ``text`` the tasks have.
        parts: whether some tasks are parts of a recording, which is told above it.

    Raises:
        InputError: no class or medium, or a class that Label Studio would take for something else.

    Example:
        >>> print(label_config(["calm", 'A & "B"'], ["text"]))
        <View>
          <Header value="Which is it? Until now it is labelled:" />
          <Header value="$label" />
          <Text name="text" value="$text" />
          <Choices name="answer" toName="text" choice="single" required="true">
            <Choice value="calm" />
            <Choice value="A &amp; &quot;B&quot;" />
            <Choice value="none of these" />
          </Choices>
        </View>
    """
    if not media:
        raise InputError(
            "no item has a recording, picture, video or text, so there is nothing to look at in Label Studio"
        )
    if not classes:
        raise InputError("there are no classes to choose from: neither labels nor votes name any")
    for name in classes:
        if name.startswith("$") or name == NONE_OF_THESE or name != name.strip():
            raise InputError(
                f"the class {name!r} cannot be asked for: Label Studio reads a leading $ as a column and drops blanks "
                f"at the ends, and {NONE_OF_THESE!r} leaves an item out; give the class another name"
            )
        if found := NOT_IN_XML.search(name):
            raise InputError(
                f"the class {name!r} cannot be asked for: it holds {found[0]!r}, which the page, as XML, may not; give "
                "the class another name"
            )
    page = ElementTree.Element("View")
    ElementTree.SubElement(page, "Header", value="Which is it? Until now it is labelled:")
    ElementTree.SubElement(page, "Header", value="$label")  # by itself, as only then every version fills it in
    if parts:
        ElementTree.SubElement(page, "Header", value="$part")
    for kind in media:
        ElementTree.SubElement(page, TAGS[kind], name=kind, value=f"${kind}")
    choices = ElementTree.SubElement(page, "Choices", name=ANSWER, toName=media[0], choice="single", required="true")
    for name in (*classes, NONE_OF_THESE):
        ElementTree.SubElement(choices, "Choice", value=name)
    ElementTree.indent(page)
    return ElementTree.tostring(page, encoding="unicode")


def served_from(items: pd.DataFrame) -> Path | None:
    """The folder above the one that holds all media files; None where none is a file.

    Label Studio serves a folder below the one that it is told with ``LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT``.

    Args:
        items: with absolute paths, as :func:`make_tasks`.

    Example:
        >>> served_from(pd.DataFrame({"audio": ["/data/alva/audio/1.flac", "/data/alva/audio/2.flac", None]}))
        PosixPath('/data/alva')
    """
    folders = {
        os.path.dirname(path)
        for kind in ("audio", "image", "video")
        if kind in items
        for path in items[kind].dropna().astype(str)
        if packed(path)[1] is None
    }
    return Path(os.path.commonpath(sorted(folders))).parent if folders else None


def make_tasks(items: pd.DataFrame, root: Path | None) -> tuple[list[dict[str, Any]], list[str]]:
    """One task an item, in the order given.

    A recording or picture is told by its address at Label Studio's own server of local files. A picture in a table,
    or a part of one, is put into the task itself. Of a part of a recording the task tells the whole, and which part.

    Args:
        items: ``id`` (``corpus/id``), ``label`` (missing where there is none), ``audio``, ``image``, ``video``
            (absolute paths, a picture also as ``faces.parquet#17``), ``text``, ``start`` and ``end`` (seconds),
            ``box``, ``suggested``, ``score`` in [0, 1] and ``reasons``; all but ``id`` may be missing.
        root: what ``LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT`` names.

    Returns:
        The tasks, as Label Studio imports them, and the media that any has, the most frequent first. A task has every
        medium, empty where the item has none, since Label Studio asks for it.

    Raises:
        InputError: a file that does not lie below ``root``.
        MediaError: a picture to be put in that cannot be read.

    Example:
        >>> items = pd.DataFrame({"id": ["a/1"], "label": ["calm"], "audio": ["/data/a/1.flac"], "suggested": ["sad"]})
        >>> (task,), media = make_tasks(items.assign(score=0.9), Path("/data"))
        >>> task["data"]
        {'item': 'a/1', 'label': 'calm', 'audio': '/data/local-files/?d=a/1.flac', 'suggested': 'sad', 'score': 0.9}
        >>> task["predictions"][0]["result"][0]["value"]
        {'choices': ['sad']}
    """
    has = {kind: int(items[kind].notna().sum()) for kind in TAGS if kind in items}
    media = sorted(filter(has.get, has), key=lambda kind: -has[kind])  # answers are told to be of the first
    parts = any(name in items and items[name].notna().any() for name in ("start", "end"))
    tasks = []
    columns = ["id", "label", *media, "start", "end", "box", "suggested", "score", "reasons"]
    for row in items[[name for name in columns if name in items]].to_dict("records"):
        known = {str(key): value for key, value in row.items() if not pd.isna(value)}
        data: dict[str, Any] = {"item": str(known["id"]), "label": str(known.get("label", ""))}
        for kind in media:
            words = str(known.get(kind, ""))
            data[kind] = words if kind == "text" or not words else _address(kind, words, known.get("box"), root)
        if parts:
            data["part"] = _part(known.get("start"), known.get("end"))
        if "score" in known:
            data["score"] = round(float(known["score"]), 6)
        data |= {name: str(known[name]) for name in ("suggested", "reasons") if name in known}
        order = ["item", "label", *media, "part", "suggested", "score", "reasons"]
        task: dict[str, Any] = {"data": {name: data[name] for name in order if name in data}}
        if "suggested" in known and media:
            value = {"choices": [str(known["suggested"])]}
            answer = {"from_name": ANSWER, "to_name": media[0], "type": "choices", "value": value}
            task["predictions"] = [
                {"model_version": "affectspace", "score": data.get("score", 0.0), "result": [answer]}
            ]
        tasks.append(task)
    return tasks, media


def _part(start: Any, end: Any) -> str:
    if start is None and end is None:
        return "all of it"
    return f"from {float(start or 0):.2f} s to {'its end' if end is None else f'{float(end):.2f} s'}"


def _address(kind: str, path: str, box: Any, root: Path | None) -> str:
    if kind == "image" and (box is not None or packed(path)[1] is not None):
        pixels = read_image(path)
        shown = Image.fromarray(pixels if box is None else crop_box(pixels, str(box)))
        content = io.BytesIO()
        shown.save(content, "PNG")
        return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"
    try:
        relative = Path(path).relative_to(root or "/")
    except ValueError:
        raise InputError(
            f"{path} does not lie below {root}, of which Label Studio may serve files; name a folder above it by --root"
        ) from None
    return LOCAL + quote(relative.as_posix())
