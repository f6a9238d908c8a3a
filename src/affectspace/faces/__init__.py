"""Pictures and videos to a corpus of crops of faces, as files; :mod:`affectspace.features` finds and crops."""

from affectspace.faces.make import FacesMade, make_faces

__all__ = ["FacesMade", "make_faces"]
