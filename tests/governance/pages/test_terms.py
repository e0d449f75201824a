"""What applicants declare to have read is there to be read, and has a name."""

import hashlib

from tests.governance.pages.sitting import Room
from tests.support.pages import Reader
from tocsin.governance.rules.applications import QUESTIONS
from tocsin.governance.rules.terms import TERMS


def test_each_text_is_a_public_page_that_the_form_leads_to(room: Room) -> None:
    form = Reader(room.console.visitor().get("/apply").text)
    links = {attrs.get("href") for tag, attrs in form.tags if tag == "a"}
    assert TERMS.keys() <= QUESTIONS.keys()
    for name, terms in TERMS.items():
        assert f"/apply/terms/{name}" in links
        shown = room.console.visitor().get(f"/apply/terms/{name}")
        assert shown.status_code == 200
        text = Reader(shown.text).text
        said = "\n".join((terms.title, terms.purpose, *terms.clauses))
        assert all(line in text for line in said.splitlines())
        assert hashlib.sha256(said.encode()).hexdigest() in text
    assert room.console.visitor().get("/apply/terms/other").status_code == 404
