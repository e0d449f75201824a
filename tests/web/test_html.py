"""What every page of the hub is made with: the templates, the static files, and the words for a span of time."""

import re

import pytest
from jinja2 import TemplateNotFound, UndefinedError

from tests.signals.material import assert_refused
from tests.support.hub import Hub
from tocsin.web import html

NAMES = ("tocsin.css", "bell.svg")


def test_static_files_are_kept_for_good_under_a_name_of_their_own(hub: Hub) -> None:
    page = hub.http.get("/log").text
    for name in NAMES:
        stem, _, suffix = name.rpartition(".")
        (address,) = set(re.findall(rf'"(/static/{stem}\.[0-9a-f]{{16}}\.{suffix})"', page))
        answer = hub.http.get(address)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["x-content-type-options"] == "nosniff"
        kinds = {"css": "text/css; charset=utf-8", "svg": "image/svg+xml"}
        assert answer.headers["content-type"] == kinds[suffix]


@pytest.mark.parametrize("name", [*NAMES, "tocsin.0000000000000000.css", "../html.py", "%2e%2e/html.py", ""])
def test_there_are_no_other_files(hub: Hub, name: str) -> None:
    assert_refused(hub.http.get(f"/static/{name}"), "not-found")


def test_the_style_sheet_loads_nothing(hub: Hub) -> None:
    (address,) = set(re.findall(r'"(/static/tocsin\.[0-9a-f]{16}\.css)"', hub.http.get("/log").text))
    assert not re.search(r"url\(|@import|@font-face|//", hub.http.get(address).text)


def test_a_page_shows_text_as_text() -> None:
    hint = "<b>&\"'"
    answer = html.page("log/entry.html", host=hint, sandbox=False, entry=None, size=3, wrong=hint)
    assert hint.encode() not in answer.body
    assert bytes(answer.body).count(b"&lt;b&gt;&amp;&#34;&#39;") == 3


def test_a_page_that_lacks_something_is_an_error_and_not_a_page() -> None:
    with pytest.raises(UndefinedError):
        html.page("log/entry.html", host="hub.example", sandbox=False, entry=None, size=3)
    with pytest.raises(TemplateNotFound):
        html.page("log/missing.html")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "just now"),
        (0, "just now"),
        (1, "1 second ago"),
        (59, "59 seconds ago"),
        (60, "1 minute ago"),
        (3_599, "59 minutes ago"),
        (3_600, "1 hour ago"),
        (86_399, "23 hours ago"),
        (86_400, "1 day ago"),
        (86_400 * 12_345, "12,345 days ago"),
    ],
)
def test_a_span_of_time_is_said_in_its_largest_unit(seconds: int, said: str) -> None:
    assert html.ago(seconds) == said


def test_a_moment_is_for_people_and_for_machines() -> None:
    assert html.moment(1_795_348_800) == (
        '<time datetime="2026-11-22T12:00:00Z"><span class="whole">2026-11-22</span>'
        ' <span class="whole">12:00:00 UTC</span></time>'
    )


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "no time"),
        (0, "no time"),
        (1, "1 second"),
        (61, "1 minute and 1 second"),
        (3_605, "1 hour"),
        (90_000, "1 day and 1 hour"),
        (3 * 86_400 - 60, "2 days and 23 hours"),
    ],
)
def test_a_span_is_said_in_two_units_at_most(seconds: int, said: str) -> None:
    assert html.span(seconds) == said


@pytest.mark.parametrize(
    ("left", "said"),
    [(1, "in 1 second"), (3 * 86_400, "in 3 days"), (0, "just now"), (-7_200, "2 hours ago")],
)
def test_a_deadline_is_a_date_and_how_far_away_it_is(left: int, said: str) -> None:
    shown = html.due(1_000_000 + left, 1_000_000)
    assert str(html.moment(1_000_000 + left)) in shown
    assert f"({said})" in shown
