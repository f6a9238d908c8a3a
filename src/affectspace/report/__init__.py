"""What people look at: self-contained reports, and pictures of spaces."""

from affectspace.report.html import write_report
from affectspace.report.picture import compare_spaces
from affectspace.report.study import write_study_report
from affectspace.report.study_tables import write_tables

__all__ = ["compare_spaces", "write_report", "write_study_report", "write_tables"]
