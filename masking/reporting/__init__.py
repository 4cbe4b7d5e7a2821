"""Reports as pages: one self-contained HTML file, in Chinese or English."""

from masking.reporting.html import to_html

__all__ = ["to_html"]
