"""What became of an application that the board admitted: its page, its JSON and the list of the checkers say it."""

import re
from typing import Any

from tests.accounts.asking import assert_refused_page, refuses
from tests.governance.pages.sitting import ASKED, Room, forms
from tests.support.pages import Reader
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.policy import DAY


def admitted(room: Room, name: str, key: SigningKey) -> str:
    """The number of an application that the board has admitted just now."""
    result = room.board.admit(name, key, communities={})
    assert result.result == "passes"
    assert result.application is not None
    return result.application


def prove(room: Room, name: str, key: SigningKey) -> None:
    now = room.hub.clock()
    room.board.act(name, key, "prove-key", not_before=now, not_after=now + 365 * DAY)


def shown(room: Room, number: str) -> Reader:
    return room.console.visitor().read(f"/apply/{number}")


def told(room: Room, number: str) -> dict[str, Any]:
    answer = room.hub.http.get(f"/v1/applications/{number}")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def listed(room: Room) -> str:
    """The list of applications, as a checker reads it; without their numbers."""
    room.purpose("vera")
    return re.sub(", application [0-9a-f]{6}", "", room.people["vera"].read("/console/applications").text)


def ended(room: Room) -> str:
    """What it says under its last heading."""
    return listed(room).rpartition(" Ended ")[2]


def test_an_admitted_applicant_is_told_until_when_and_how(room: Room) -> None:
    key = SigningKey.generate()
    number = admitted(room, "pixel", key)
    at = room.hub.clock()
    page, state = shown(room, number), told(room, number)
    assert (state["state"], state["since"]) == ("approved_pending_keys", rfc3339(at))
    assert state["lapses_at"] == rfc3339(at + 30 * DAY)
    assert (state["decision"], state["awaiting"]) == (1, [key.public.kid])
    assert "member_since" not in state
    assert "(in 30 days)" in page.text
    assert rfc3339(at + 30 * DAY)[:10] in page.text
    issuer = "https://pixel.example"
    command = f"tocsin member prove-keys --hub {room.hub.issuer} --issuer {issuer} --key FILE"
    assert command in page.text
    assert key.public.kid in page.text
    assert "by decision 1 of the board" in page.text
    assert f"{issuer} Platform Admitted, keys to prove" in listed(room)
    assert issuer not in ended(room)

    prove(room, "pixel", key)
    page, state = shown(room, number), told(room, number)
    since = rfc3339(room.hub.clock())
    assert (state["state"], state["member_since"]) == ("provisional", since)
    assert not {"lapses_at", "awaiting"} & state.keys()
    assert "Provisional On probation" in page.text
    assert "Member since" in page.text
    for gone in ("keys to prove", "prove-keys", "lapses", key.public.kid):
        assert gone not in page.text
    assert "/members#pixel.example" in page.attributes("a", "href")
    rows = {attrs.get("id") for tag, attrs in room.console.visitor().read("/members").tags if tag == "tr"}
    assert "pixel.example" in rows
    assert f"{issuer} Platform Provisional Became a member" in ended(room)
    workbench = room.people["vera"].read(f"/console/applications/{number}").text
    assert "Became a member. On probation" in workbench

    room.hub.clock.advance(100 * DAY)
    room.hub.run_job("governance.tick")
    state = told(room, number)
    assert (state["state"], state["member_since"]) == ("active", since)
    assert "Active Sends, reads and votes." in shown(room, number).text


def test_keys_that_were_not_proved_in_time(room: Room) -> None:
    key = SigningKey.generate()
    number = admitted(room, "late", key)
    room.hub.clock.advance(31 * DAY)
    room.hub.run_job("governance.tick")
    page, state = shown(room, number), told(room, number)
    assert (state["state"], state["since"]) == ("lapsed", rfc3339(room.hub.clock()))
    assert not {"lapses_at", "awaiting", "member_since"} & state.keys()
    assert (
        "Lapsed The board had admitted this applicant; not all of its keys were proved in time." in page.text
    )
    assert "You can apply again at once" in page.text
    assert "prove-keys" not in page.text
    assert "https://late.example Platform Lapsed Admitted; not all keys were proved in time" in ended(room)

    # It does apply again, and is admitted: that is told of the first application too, and done with the second.
    later = SigningKey.generate()
    second = admitted(room, "late", later)
    first = shown(room, number)
    assert "who has applied again since" in first.text
    assert "prove-keys" not in first.text
    assert told(room, number)["decision"] < told(room, second)["decision"]
    assert "lapses_at" not in told(room, number)
    assert "prove-keys" in shown(room, second).text
    assert "Admitted; it has applied again since" in ended(room)
    prove(room, "late", later)
    assert "member_since" not in told(room, number)
    assert "member_since" in told(room, second)


def test_who_is_refused_as_a_provisional_member_appeals_as_a_member(room: Room) -> None:
    key = SigningKey.generate()
    number = admitted(room, "unlucky", key)
    prove(room, "unlucky", key)
    room.board.enact("member.refuse", "https://unlucky.example")
    page = shown(room, number)
    assert told(room, number)["state"] == "rejected"
    assert "refused it while it was provisional" in page.text
    assert "/console/appeals/new" in page.attributes("a", "href")
    assert f"/apply/{number}/appeal" not in forms(page)
    with refuses(room.hub, ASKED):
        sent = room.console.visitor()
        sent.read(f"/apply/{number}")
        assert_refused_page(sent.post(f"/apply/{number}/appeal", secret="wrong"), "not-found")
    assert "https://unlucky.example Platform Refused Became a member" in ended(room)
