"""What anybody may see without a login: the list of members, and the way to become one."""

from tests.governance.pages.sitting import Room
from tests.signals.material import Voice
from tests.support.hub import Hub
from tests.support.pages import Reader, page
from tocsin.web.console import COOKIE
from tocsin_schemas.problems import REGISTRY


def test_the_list_of_members_has_four_columns_and_sets_no_cookie(room: Room) -> None:
    room.board.member("pixel")
    found = page(room.hub.http.get("/members"))
    assert "https://pixel.example Platform Provisional" in found.text
    assert len([tag for tag, attrs in found.tags if tag == "th" and attrs.get("scope") == "col"]) == 4
    standing = room.board.state.members["https://pixel.example"]
    answer = room.hub.http.get("/members").text
    for kept in (standing.control_group, *standing.keys, "child-safety", "handle-s1"):
        assert kept not in answer
    assert found.attributes("form", "action") == []
    for link in found.attributes("a", "href"):
        assert link == "#main" or room.hub.http.get(link, follow_redirects=True).status_code == 200, link


def test_a_sandbox_lists_its_members_and_takes_no_applications(hub: Hub) -> None:
    Voice(hub, "pixel")
    found = page(hub.http.get("/members")).text
    assert "https://pixel.example Platform Active" in found
    assert "This hub is a sandbox" in found
    assert "its operator keeps this list" in found
    answer = hub.http.get("/apply")
    assert "it has no board that could admit anybody" in Reader(answer.text).text
    assert "<form" not in answer.text


def test_an_application_that_is_not_there_is_a_page(room: Room) -> None:
    for wrong in ("ap_0", "ap_" + "0" * 32, "<script>", "%00"):
        answer = room.hub.http.get(f"/apply/{wrong}")
        assert answer.status_code == 404
        assert REGISTRY["not-found"].title in Reader(answer.text).text
        assert "script>" not in answer.text


def test_the_public_form_wants_its_own_origin_and_token(room: Room) -> None:
    visitor = room.console.visitor()
    visitor.get("/apply")
    for headers in ({"origin": "https://evil.example"}, {}):
        refused = visitor.send("POST", "/apply", {"do": "submit"}, headers)
        assert refused.status_code == REGISTRY["origin-mismatch"].status
    untokened = visitor.send("POST", "/apply", {"do": "submit"}, {"origin": visitor.party.origin})
    assert untokened.status_code == REGISTRY["form-token-invalid"].status
    assert COOKIE in visitor.cookies
