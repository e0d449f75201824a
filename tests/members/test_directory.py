"""The directory of a community, as a member pulls it."""

from tests.support.hub import Hub
from tocsin import keys
from tocsin_schemas.ledger import instant


def test_the_directory_names_who_signs_here_and_with_what(hub: Hub) -> None:
    pixel = hub.party("pixel", owner="Aurora", communities={"child-safety": "rw", "ncii": "r"})
    mosaic = hub.party("mosaic", owner="Aurora", communities={"child-safety": "w"}, alg="ES256")
    hub.party("elsewhere", communities={"ncii": "rw"})
    hub.clock.advance(10)
    hub.members.suspend(mosaic.issuer)
    hub.members.revoke_key(mosaic.key.public.kid)

    found = pixel.sdk().directory("child-safety")

    assert (found.community, found.hub) == ("child-safety", hub.issuer)
    assert found.audience == "https://hub.example/communities/child-safety"
    assert [member.issuer for member in found.members] == [pixel.issuer, mosaic.issuer]
    first, second = found.members
    assert first.control_group == second.control_group
    assert (first.state, first.may_write, second.state) == ("active", True, "suspended")
    assert first.keys[0].public() == pixel.key.public
    assert first.keys[0].revoked_at is None
    assert second.keys[0].public() == mosaic.key.public
    assert instant(second.keys[0].revoked_at or "") == instant(second.since) == hub.clock()
    assert [key.public() for key in found.hub_keys] == [keys.load(hub.settings).events.public]


def test_what_a_member_may_not_read_is_not_there(hub: Hub) -> None:
    pixel = hub.party("pixel", communities={"child-safety": "w", "ncii": "r"})
    hub.party("mosaic", communities={"elsewhere": "rw"})
    headers = pixel.bearer()
    answers = [
        hub.http.get(f"/v1/communities/{slug}/members", headers=headers)
        for slug in ("child-safety", "elsewhere", "nowhere", "..", "a b")
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert {answer.json()["code"] for answer in answers} == {"not-found"}
    details = {answer.json().get("detail") for answer in answers[:3]}
    assert len(details) == 1
    assert hub.http.get("/v1/communities/ncii/members", headers=headers).status_code == 200
