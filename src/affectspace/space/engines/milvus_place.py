"""Where a collection of Milvus is, as it is written on a command line."""

import json
import os
import re
from pathlib import Path

from affectspace.errors import InputError

__all__ = ["ADDRESSES", "DATABASE", "MANIFEST", "Place"]

ADDRESSES = ("milvus://", "milvus+tls://")  # how those of servers begin
DATABASE = "milvus.db"  # what Milvus Lite keeps in the folder of an index
MANIFEST = "manifest.json"  # beside it: says that the collection is there, which, and of which engine
COLLECTION = "items"  # of a folder whose manifest names none
PORT = 19530
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


class Place:
    """Where a collection is: a folder for Milvus Lite, or an address of a server.

    Args:
        name: of the index.

    Raises:
        InputError: an address that is none, or ``MILVUS_TOKEN`` is set and would be sent to another machine in clear.

    Example:
        >>> Place("milvus://vectors.lab:19530/faces").uri, Place("milvus+tls://vectors.lab/faces").uri
        ('http://vectors.lab:19530', 'https://vectors.lab:19530')
    """

    def __init__(self, name: str | Path):
        self.name = str(name)
        self.folder = None if self.name.startswith(ADDRESSES) else Path(name)
        self.collection = COLLECTION if self.folder is None else _named(self.folder)
        self.uri = str(Path(name, DATABASE))
        if self.folder is None:
            parts = re.fullmatch(
                r"milvus(\+tls)?://([\w.-]+|\[[\da-fA-F:]+\])(?::(\d{1,5}))?/([A-Za-z_]\w{0,254})", self.name, re.ASCII
            )
            if not parts:
                raise InputError(
                    f"{self.name} is no address of an index; write milvus://HOST:PORT/NAME, where NAME is of letters, "
                    "digits and _"
                )
            tls, host, port, self.collection = parts.groups()
            if os.environ.get("MILVUS_TOKEN") and not tls and host not in LOOPBACK:
                raise InputError(
                    f"{self.name} would be sent MILVUS_TOKEN in clear, for everybody on the way to read; write "
                    f"milvus+tls://{self.name.removeprefix('milvus://')}, which the server must know, or unset it"
                )
            self.uri = f"{'https' if tls else 'http'}://{host}:{port or PORT}"


def _named(folder: Path) -> str:
    try:
        return str(json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["collection"])
    except (OSError, ValueError, KeyError, TypeError):
        return COLLECTION
