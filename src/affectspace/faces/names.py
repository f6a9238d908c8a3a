"""Names of files for ids of any kind: legible, safe below their folder, and no two alike."""

import hashlib
import re

__all__ = ["file_stem"]

LONGEST = 80  # characters of a part between slashes; file systems allow 255 bytes
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
    # Crops end in .png, so that a folder of such a name could be in the way of one.
    return "/".join([*(_part(each, not each.lower().endswith(".png")) for each in folders), _part(name)])


def _part(part: str, fit: bool = True) -> str:
    safe = ODD.sub("_", part).strip(" .")[:LONGEST].strip(" .") if not part.startswith(".") else ""
    if fit and safe == part and part:
        return part
    return f"{safe or '_'}-{hashlib.sha256(part.encode()).hexdigest()[:8]}"
