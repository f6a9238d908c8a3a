"""Names of files for ids of any kind: legible, safe below their folder, and no two alike."""

import hashlib
import re
import unicodedata
from collections.abc import Sequence

from affectspace.corpora.columns import told_apart

__all__ = ["file_folders", "file_stem", "file_stems"]

LONGEST = (
    160  # bytes of a part between slashes: systems allow 255, and a file that is being written bears a longer name
)
OWN = (".png", ".faces")  # endings of crops and of folders of crops, in whose way no other folder is to be
ODD = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|\u2028\u2029]')  # what some system or some tool takes amiss


def file_stem(item: str) -> str:
    """A path below a folder, without its ending, for an id.

    An id that can be one stays as it is. Where a part of it cannot, it is put right, and a hash of the part behind
    it keeps it apart from all others.

    Args:
        item: any text; ``/`` parts it into folders.

    Example:
        >>> file_stem("happy/1"), file_stem("clip.mp4/0001")
        ('happy/1', 'clip.mp4/0001')
        >>> file_stem("../what?")
        '_-5ec1f7e7/what_-2cc9a59a'
    """
    *folders, name = item.split("/")
    return "/".join([*(_part(each, not each.lower().endswith(OWN)) for each in folders), _part(name)])


def file_stems(items: Sequence[str]) -> list[str]:
    """:func:`file_stem` of each, with a hash behind those that some system would take for one: by case, or by accents.

    Args:
        items: ids, of which no two are the same.

    Example:
        >>> file_stems(["happy/A", "happy/a", "b"])
        ['happy/A-0f2c136b', 'happy/a-d04d0593', 'b']
    """
    stems = [file_stem(item) for item in items]
    return told_apart(stems, [f"{stem}-{_hash(item)}" for stem, item in zip(stems, items)], _folded)


def file_folders(items: Sequence[str]) -> list[str]:
    """Paths of folders below another, one for each id, in which no file of :func:`file_stems` and no other lies.

    Example:
        >>> file_folders(["clip"]), file_stems(["clip/a", "clip.faces/a"])
        (['clip.faces'], ['clip/a', 'clip.faces-8d7b30e9/a'])
    """
    return [f"{stem}{OWN[1]}" for stem in file_stems(items)]


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name.casefold())


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _part(part: str, fit: bool = True) -> str:
    safe = ODD.sub("_", part).strip(" .") if not part.startswith(".") else ""
    safe = safe.encode()[:LONGEST].decode(errors="ignore").strip(" .")
    if fit and safe == part and part:
        return part
    return f"{safe or '_'}-{_hash(part)}"
