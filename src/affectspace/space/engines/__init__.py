"""Spaces too large for a file that is read whole: an index on disk, or in a vector engine that is shared."""
