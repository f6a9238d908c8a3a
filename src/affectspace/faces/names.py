"""Names of files for ids of any kind: legible, safe below their folder, and no two alike."""

import hashlib
import re

__all__ = ["file_folder", "file_stem"]

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


def file_folder(item: str) -> str:
    """A path of a folder below another for an id, in which no :func:`file_stem` and no other folder lies.

    Example:
        >>> file_folder("clip"), file_stem("clip/a"), file_stem("clip.faces/a")
        ('clip.faces', 'clip/a', 'clip.faces-8d7b30e9/a')
    """
    return f"{file_stem(item)}{OWN[1]}"


def _part(part: str, fit: bool = True) -> str:
    safe = ODD.sub("_", part).strip(" .") if not part.startswith(".") else ""
    safe = safe.encode()[:LONGEST].decode(errors="ignore").strip(" .")
    if fit and safe == part and part:
        return part
    return f"{safe or '_'}-{hashlib.sha256(part.encode()).hexdigest()[:8]}"
