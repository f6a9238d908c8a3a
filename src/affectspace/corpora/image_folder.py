"""Any folder of images in which a folder is a class: ``happy/1.png``, ``sad/2.png``.

Above the classes may lie the splits, under their usual names: ``train/happy/1.png``, ``val/happy/2.png``,
``test/...`` (also training; validate, valid, validation; testing). What lies deeper belongs to the class
above it; images beside the classes belong to none and are left out, as are files of other kinds: the corpus's
note counts both. The class is the folder's name as it is.
"""

from pathlib import Path

import pandas as pd

from affectspace.corpora.columns import told_apart, without_ending
from affectspace.corpora.corpus import Card, Corpus
from affectspace.corpora.layout import IMAGE_ENDINGS, all_files, image_files, make_corpus, refuse_no_items

__all__ = ["NAME", "class_folders", "matches", "read", "split_of"]

NAME = "image_folder"
_OF_SYSTEMS = {"thumbs.db", "desktop.ini"}  # which lie in folders without anybody's having put them there
_SPLITS = {
    "train": "train",
    "training": "train",
    "validate": "validate",
    "valid": "validate",
    "validation": "validate",
    "val": "validate",
    "test": "test",
    "testing": "test",
}


def matches(path: Path) -> bool:
    """Whether at least two folders in ``path``, or in its splits, hold images."""
    if not path.is_dir():
        return False
    classes = set()
    for folder in class_folders(path):
        if folder.name not in classes and any(image_files(folder)):
            classes.add(folder.name)
        if len(classes) == 2:
            return True
    return False


def read(path: Path) -> Corpus:
    """The images below ``path``, each with its folder as the label.

    Raises:
        InputError: no folder of a class with images.
    """
    path = Path(path)
    folders = class_folders(path) if path.is_dir() else []
    rows = [
        {"image": file.relative_to(path).as_posix(), "label": folder.name, "split": split_of(folder, path)}
        for folder in folders
        for file in image_files(folder)
    ]
    refuse_no_items(rows, path, "folders of images", "happy/1.png or train/happy/1.png, the folder being the class")
    items = pd.DataFrame(rows)
    items.insert(0, "id", told_apart(without_ending(items["image"]).tolist(), items["image"].tolist()))
    return make_corpus(path, items, Card(path.resolve().name, note=" ".join(_notes(path, folders))))


def _notes(path: Path, folders: list[Path]) -> list[str]:
    return [told for told in (_not_read(path, folders), _deeper(folders)) if told]


def _deeper(folders: list[Path]) -> str:
    """A sentence on a folder that holds nothing but folders of images, which look like the classes themselves."""
    for folder in folders:
        within = [inner for inner in _folders(folder) if any(image_files(inner))]
        if len(within) > 1 and not any(_is_image(file) for file in folder.iterdir()):
            names = ", ".join(inner.name for inner in within[:3]) + (", ..." if len(within) > 3 else "")
            return (
                f"The class {folder.name} is {len(within)} folders of images ({names}); if these are the classes, "
                f"name the corpus {folder}."
            )
    return ""


def _not_read(path: Path, folders: list[Path]) -> str:
    """A sentence on the files that look as if they should be items and are none; empty where there are none."""
    above = [path, *(folder for folder in _folders(path) if folder.name.lower() in _SPLITS)]
    beside = [file for folder in above for file in sorted(folder.iterdir()) if _is_image(file) and file.is_file()]
    others = [file for folder in folders for file in all_files(folder) if not _is_image(file)]
    others = [file for file in others if file.name.lower() not in _OF_SYSTEMS]
    told = []
    if beside:
        told.append(
            f"beside the folders of the classes ({len(beside)}, such as {beside[0].relative_to(path).as_posix()})"
        )
    if others:
        told.append(f"of a kind that is not read ({len(others)}, such as {others[0].relative_to(path).as_posix()})")
    return f"Left out are files {' and '.join(told)}; images end in {', '.join(IMAGE_ENDINGS)}." if told else ""


def _is_image(file: Path) -> bool:
    return not file.name.startswith(".") and file.name.lower().endswith(IMAGE_ENDINGS)


def class_folders(path: Path) -> list[Path]:
    """The folders in ``path``, or in its splits, each of which may be a class."""
    return [
        inner
        for folder in _folders(path)
        for inner in (_folders(folder) if folder.name.lower() in _SPLITS else [folder])
    ]


def _folders(path: Path) -> list[Path]:
    return sorted(f for f in path.iterdir() if f.is_dir() and not f.name.startswith((".", "__MACOSX")))


def split_of(folder: Path, path: Path) -> str | None:
    """The split above the folder of a class, under our name for it; None where there is none."""
    return None if folder.parent == path else _SPLITS[folder.parent.name.lower()]
