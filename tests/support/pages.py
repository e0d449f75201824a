"""A page of the hub as a test reads it: with the headers every page has, as tags and text."""

from html.parser import HTMLParser

import httpx2

from tocsin.web.html import POLICY


class Reader(HTMLParser):
    """What a page holds: its tags with their attributes, and its text with single spaces."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._parts: list[str] = []
        self.feed(page)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self._parts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self._parts.append(data)

    def attributes(self, tag: str, name: str) -> list[str]:
        return [
            value for found, attrs in self.tags if found == tag and (value := attrs.get(name)) is not None
        ]


def page(answer: httpx2.Response, status: int = 200) -> Reader:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "set-cookie" not in answer.headers
    return Reader(answer.text)
