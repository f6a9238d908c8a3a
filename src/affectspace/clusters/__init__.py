"""Where work is done that one machine is too small for: which engine is asked for, and what its nodes have and see.

Ray itself is loaded only once somebody connects to it.
"""

from affectspace.clusters.nodes import Node, nodes
from affectspace.clusters.ray_cluster import connect, head_answers
from affectspace.clusters.sight import Asked, Sight, Unfit, Wanted, look, wanted
from affectspace.clusters.versions import versions_here
from affectspace.clusters.where import Local, RayAt, Slurm, Where, where

__all__ = [
    "Asked",
    "Local",
    "Node",
    "RayAt",
    "Sight",
    "Slurm",
    "Unfit",
    "Wanted",
    "Where",
    "connect",
    "head_answers",
    "look",
    "nodes",
    "versions_here",
    "wanted",
    "where",
]
