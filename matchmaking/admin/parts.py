"""What several pages of the admin are made of."""

from collections.abc import Sequence

from django.utils.html import format_html_join


def lines(texts: Sequence[str]) -> str:
    """Return texts below each other, as HTML."""
    return format_html_join("", "<div>{}</div>", ((text,) for text in texts))
