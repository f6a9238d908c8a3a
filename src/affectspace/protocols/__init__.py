"""Splits that keep groups apart, and the audit that proves it."""

from affectspace.protocols.audit import Leak, audit, kept_apart, refuse_leaks
from affectspace.protocols.cross_language import cross_language
from affectspace.protocols.groups import GROUPS, group_names, groups_of
from affectspace.protocols.inner import inner_groups, inner_split
from affectspace.protocols.namesakes import namesakes
from affectspace.protocols.published import published
from affectspace.protocols.split import PARTS, Split
from affectspace.protocols.splits import cross_corpus, grouped_k_fold, leave_one_group_out

__all__ = [
    "GROUPS",
    "PARTS",
    "Leak",
    "Split",
    "audit",
    "cross_corpus",
    "cross_language",
    "group_names",
    "grouped_k_fold",
    "groups_of",
    "inner_groups",
    "inner_split",
    "kept_apart",
    "leave_one_group_out",
    "namesakes",
    "published",
    "refuse_leaks",
]
