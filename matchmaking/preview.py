"""A picture of a pool's window over the wait, for the admin; `preview.js` draws the same while one types."""

import json
from dataclasses import asdict

import numpy as np
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from matchmaking.domain.pool_rules import PoolRules
from matchmaking.domain.rules import PRESETS

SECONDS = 120
WIDTH, HEIGHT = 480, 160
MOMENTS = (0, 10, 30, 60, 120)


def preview(rules: PoolRules) -> SafeString:
    """Return the curve of the window over two minutes, and its width at some moments, as HTML."""
    waits = np.linspace(0, SECONDS, WIDTH + 1)
    windows = rules.window.windows(waits)
    top = max(float(windows.max()), 1.0)
    points = " ".join(
        f"{x},{HEIGHT - round(window / top * HEIGHT, 1)}" for x, window in enumerate(windows.tolist())
    )
    moments = format_html_join(", ", "{} s: ±{}", ((at, f"{rules.window.window(at):g}") for at in MOMENTS))
    return format_html(
        '<div id="window-preview" data-presets="{}" data-seconds="{}">'
        '<svg viewBox="0 0 {} {}" width="{}" height="{}" role="img" aria-label="The window over the wait">'
        '<polyline points="{}" fill="none" stroke="currentColor" stroke-width="2"></polyline></svg>'
        "<p>{}</p></div>",
        json.dumps({name: asdict(rule) for name, rule in PRESETS.items()}),
        SECONDS,
        WIDTH,
        HEIGHT,
        WIDTH,
        HEIGHT,
        points,
        moments,
    )
