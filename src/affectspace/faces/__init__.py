"""Pictures and videos as they are to a corpus of crops of faces."""

from affectspace.faces.make import FacesMade, make_faces

__all__ = ["FacesMade", "make_faces"]
