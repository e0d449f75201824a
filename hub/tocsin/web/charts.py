"""Charts for pages, drawn on the server: SVG without scripts, in the colours of light and of dark.

A chart is shown by an `<img>`, so it brings its own styles and can load nothing; it follows the reader's colour scheme.
Whoever shows one also shows its numbers as a table.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

import pygal
from pygal.etree import etree
from pygal.style import Style

MEDIA_TYPE: Final = "image/svg+xml"
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
"""The Content-Security-Policy of a chart: its styles stand in it, and it has nothing else."""
KEPT: Final = 16
LEGEND_ROW: Final = 20
# Read by scripts of the library's own, which no page of ours runs.
_FOR_SCRIPTS: Final = frozenset({"script", "desc"})
_STYLES: Final = """
text{font:13px system-ui,sans-serif;fill:#1c2127}
.axis.x text{text-anchor:middle}
.axis.y text{text-anchor:end}
.background{fill:none}
.line{fill:none;stroke:#c9d0d7;stroke-width:1}
.axis.x .guide.line{stroke:none}
.bar rect{stroke:#fff;stroke-width:.4}
@media (prefers-color-scheme:dark){
text{fill:#e8ecf0}
.line{stroke:#3c4650}
.bar rect{stroke:#14181d}
}
"""


class Colour(NamedTuple):
    """A colour for light ground and one for dark ground, each at least 3:1 against it (WCAG 2.2, 1.4.11)."""

    light: str
    dark: str


class Series(NamedTuple):
    """One kind of thing: its name, its colour, and one value for each label of the chart."""

    name: str
    colour: Colour
    values: tuple[int, ...]


class Shape(NamedTuple):
    """The size of a chart in its own units, which the page scales, and how much text has room in it."""

    width: int
    height: int
    legend_columns: int
    labels_shown: int


@lru_cache(maxsize=KEPT)
def stacked_bars(title: str, labels: tuple[str, ...], series: tuple[Series, ...], shape: Shape) -> bytes:
    """An SVG of bars, one for each label, with the series stacked upon each other; the last few drawn are kept."""
    chart = pygal.StackedBar(
        width=shape.width,
        height=shape.height,
        style=Style(label_font_size=13, legend_font_size=13),
        js=[],
        legend_at_bottom=True,
        legend_at_bottom_columns=shape.legend_columns,
        truncate_label=-1,
        truncate_legend=-1,
        max_scale=6,
        order_min=0,  # whole things are counted
        margin=6,
        margin_right=24,
        # The library leaves no room for a last row of names that is not full.
        margin_bottom=6 + (LEGEND_ROW if len(series) % shape.legend_columns else 0),
        spacing=12,
        show_minor_x_labels=False,
        value_formatter=lambda value: f"{value:,.0f}",
    )
    chart.x_labels = labels
    chart.x_labels_major = list(_spread(labels, shape.labels_shown))
    for item in series:
        chart.add(item.name, item.values)
    return _as_image(chart.render_tree(), title, [item.colour for item in series])


def _spread(labels: Sequence[str], most: int) -> Iterator[str]:
    """At most `most` of the labels, evenly apart, the last one among them."""
    step = -(-len(labels) // most)
    return (label for at, label in enumerate(reversed(labels)) if at % step == 0)


def _as_image(root: Any, title: str, colours: Sequence[Colour]) -> bytes:
    """The drawing without scripts, comments and what serves them, and with styles of ours alone."""
    root.attrib.pop("id", None)
    for parent in list(root.iter()):
        for child in list(parent):
            tag = child.tag.rpartition("}")[2] if isinstance(child.tag, str) else "script"
            if tag in _FOR_SCRIPTS or "tooltip" in child.get("class", "").split():
                parent.remove(child)
            elif tag == "style":
                child.text = _styles(colours)
            elif tag == "title" and parent is root:
                child.text = title
    return bytes(etree.tostring(root, encoding="utf-8"))


def _styles(colours: Sequence[Colour]) -> str:
    light = "".join(f".color-{at}{{fill:{colour.light}}}" for at, colour in enumerate(colours))
    dark = "".join(f".color-{at}{{fill:{colour.dark}}}" for at, colour in enumerate(colours))
    return f"{_STYLES}{light}@media (prefers-color-scheme:dark){{{dark}}}"
