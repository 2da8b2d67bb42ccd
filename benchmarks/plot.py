"""The bars as a picture: how much of its limit each ratio takes. Plain SVG that suits light and dark pages."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from benchmarks.bars import Bar

_WIDTH, _TOP, _ROW, _NAMES, _RIGHT = 960, 46, 30, 500, 70
_MOST = 2.0  # so many limits long is the longest bar
_UNIT = (_WIDTH - _NAMES - _RIGHT) / _MOST
_HEAD = "measured ratio, as a share of its limit"
_LABEL = 'aria-label="Measured ratios beside their limits"'
_STYLE = """
text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328; }
.head { font-weight: 600; } .quiet { fill: #59636e; }
.ok { fill: #2da08d; } .missed { fill: #d4652f; } .track { fill: #8c959f; fill-opacity: .14; }
.limit { stroke: #1f2328; stroke-width: 1.5; stroke-dasharray: 4 3; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; } .quiet { fill: #9198a1; } .limit { stroke: #e6edf3; }
  .ok { fill: #3fb8a3; } .missed { fill: #e8824a; }
}
""".strip()


def picture(bars: Sequence[Bar]) -> str:
    """Return an SVG of the bars that have a ratio and a limit."""
    shown = [bar for bar in bars if bar.ratio is not None and bar.limit]
    height = _TOP + _ROW * len(shown) + 14
    limit = _NAMES + _UNIT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" {_LABEL}>',
        f"<style>{_STYLE}</style>",
        f'<text class="head" x="{_NAMES - 12}" y="24" text-anchor="end">{_HEAD}</text>',
        f'<text class="quiet" x="{limit:g}" y="24" text-anchor="middle">limit</text>',
        *(_line(bar, _TOP + _ROW * index) for index, bar in enumerate(shown)),
        f'<line class="limit" x1="{limit:g}" x2="{limit:g}" y1="32" y2="{height - 10}"/>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def share(bar: Bar) -> float:
    """Return how much of its limit a bar takes: above 1 it is missed."""
    if bar.ratio is None or not bar.limit:
        return 0.0
    return bar.limit / bar.ratio if bar.at_least else bar.ratio / bar.limit


def _line(bar: Bar, top: float) -> str:
    """Return the name, the bar and the ratio of a bar."""
    length, middle = _UNIT * min(share(bar), _MOST), top + 15
    return (
        f'<text x="{_NAMES - 12}" y="{middle:g}" text-anchor="end">{escape(bar.name)}</text>'
        f'<rect class="track" x="{_NAMES}" y="{top + 3:g}" width="{_UNIT * _MOST:g}" height="16" rx="3"/>'
        f'<rect class="{bar.verdict}" x="{_NAMES}" y="{top + 3:g}" width="{length:.1f}" height="16" rx="3"/>'
        f'<text x="{_NAMES + _UNIT * _MOST + 8:g}" y="{middle:g}">{bar.ratio:,.2f}</text>'
    )
