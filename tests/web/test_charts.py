"""Charts: the right bars, in both colour schemes, and nothing that runs or loads."""

import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest

from tocsin.web.charts import Colour, Series, Shape, stacked_bars

SVG = "{http://www.w3.org/2000/svg}"
SHAPE = Shape(600, 300, 3, 4)
ALLOWED = {"svg", "defs", "style", "title", "g", "rect", "path", "text"}


def series(*values: tuple[int, ...]) -> tuple[Series, ...]:
    return tuple(
        Series(f"kind {at}", Colour(f"#00000{at}", f"#fffff{at}"), column) for at, column in enumerate(values)
    )


def drawn(labels: tuple[str, ...], *values: tuple[int, ...], shape: Shape = SHAPE) -> ET.Element:
    return ET.fromstring(stacked_bars("What it shows", labels, series(*values), shape))


def texts(root: ET.Element) -> list[str]:
    return [node.text or "" for node in root.iter(f"{SVG}text")]


def test_bars_stand_upon_each_other_in_proportion() -> None:
    root = drawn(("a", "b"), (10, 20), (30, 0))
    columns = [
        [node for node in group.iter(f"{SVG}rect") if "background" not in node.get("class", "")]
        for group in root.iter(f"{SVG}g")
        if group.get("class", "").startswith("series") and list(group)
    ]
    heights = [[float(bar.attrib["height"]) for bar in column] for column in columns]
    unit = heights[0][0] / 10
    assert heights == [
        [pytest.approx(10 * unit), pytest.approx(20 * unit)],
        [pytest.approx(30 * unit), pytest.approx(0)],
    ]
    low, high = (float(column[0].attrib["y"]) for column in columns)
    assert high + heights[1][0] == pytest.approx(low)


def test_a_chart_holds_shapes_and_words_and_nothing_else() -> None:
    raw = stacked_bars("<&>", ("a",), (Series("<script>", Colour("#000000", "#ffffff"), (1,)),), SHAPE)
    root = ET.fromstring(raw)
    assert {node.tag.removeprefix(SVG) for node in root.iter()} <= ALLOWED
    assert not [
        name for node in root.iter() for name in node.attrib if name.startswith("on") or "href" in name
    ]
    assert b"<!--" not in raw
    assert not re.search(rb"https?://(?!www\.w3\.org/2000/svg)", raw)
    assert [title.text for title in root.findall(f"{SVG}title")] == ["<&>"]
    assert "<script>" in texts(root)


def test_both_colour_schemes_are_in_it() -> None:
    style = "".join(drawn(("a",), (1,), (2,)).itertext())
    light, _, dark = style.rpartition("@media (prefers-color-scheme:dark){")
    assert ".color-0{fill:#000000}.color-1{fill:#000001}" in light
    assert ".color-0{fill:#fffff0}.color-1{fill:#fffff1}" in dark


@pytest.mark.parametrize("count", [1, 3, 4, 5, 12, 30])
def test_labels_are_evenly_apart_up_to_the_last(count: int) -> None:
    labels = tuple(f"L{at}" for at in range(count))
    shown = [text for text in texts(drawn(labels, (1,) * count)) if text in labels]
    assert shown[-1] == labels[-1]
    assert len(shown) <= SHAPE.labels_shown
    gaps = {int(later[1:]) - int(earlier[1:]) for earlier, later in pairwise(shown)}
    assert len(gaps) <= 1


@pytest.mark.parametrize("most", [1, 2, 3, 7])
def test_small_counts_have_whole_numbers_beside_them(most: int) -> None:
    numbers = [text for text in texts(drawn(("a", "b"), (most, 0))) if text.isdigit()]
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("kinds", range(1, 8))
def test_every_name_of_the_legend_has_room(kinds: int) -> None:
    root = drawn(("a",), *[(1,)] * kinds)
    (legend,) = [node for node in root.iter(f"{SVG}g") if node.get("class") == "legends"]
    moved = re.fullmatch(r"translate\((\d+), (\d+)\)", legend.attrib["transform"])
    assert moved is not None
    lowest = max(float(text.attrib["y"]) for text in legend.iter(f"{SVG}text"))
    assert int(moved[2]) + lowest <= SHAPE.height
    assert texts(legend) == [f"kind {at}" for at in range(kinds)]


def test_a_chart_is_drawn_once() -> None:
    assert stacked_bars("t", ("a",), series((1,)), SHAPE) is stacked_bars("t", ("a",), series((1,)), SHAPE)
