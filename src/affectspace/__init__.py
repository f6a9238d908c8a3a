"""Embedding spaces whose geometry is the geometry of the labels."""

__version__ = "0.1.0"
