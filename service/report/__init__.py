"""One self-contained HTML page about one or several calls: :func:`render_report`."""

from service.report.page import ReportCall, render_report

__all__ = ["ReportCall", "render_report"]
