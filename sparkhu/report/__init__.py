"""The report: one self-contained HTML file that explains a run."""

from sparkhu.report.page import write_report

__all__ = ["write_report"]
