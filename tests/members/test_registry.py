"""What the operator does with members: each use case is whole, or did nothing."""

from collections.abc import Callable

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from tests.support.state import contents
from tocsin import keys
from tocsin.config import Settings
from tocsin.db import Database
from tocsin.members.service import Members, NewKey
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.problems import Refused

PIXEL = "https://pixel.example"
MOSAIC = "https://mosaic.example"


@pytest.fixture
def members(database: Database, settings: Settings) -> Members:
    keys.ensure(settings)
    return Members(database, settings)


def test_a_member_is_admitted_whole(members: Members, database: Database) -> None:
    community = members.add_community("child-safety")
    pair = [SigningKey.generate(), SigningKey.generate("ES256")]
    view = members.add_member(
        PIXEL,
        "platform",
        control_group="Aurora Holding",
        keys=[NewKey(key.public) for key in pair],
        grants={"child-safety": (True, False)},
        scopes=["signals:read"],
        signals_per_hour=500,
    )
    assert view.org.issuer == PIXEL
    assert (view.org.state, view.org.member_class, view.org.signals_per_hour) == ("active", "platform", 500)
    assert {key.public.kid for key in view.keys} == {key.public.kid for key in pair}
    assert view.clients[0].scopes == {"signals:read"}
    assert view.communities == (("child-safety", True, False),)
    assert members.list_members() == [view]
    with database.snapshot() as uow:
        assert members.orgs(uow) == {view.org.id: view.org}
        assert members.communities(uow) == {"child-safety": community}
        assert members.grants(uow, view.org.id) == {community.id: (False, True)}
        found = members.author_keys(uow, view.org.id)
        assert found == {key.public.kid: key for key in view.keys}
        assert {key.iss for key in found.values()} == {PIXEL}
        assert members.author_keys(uow, view.org.id + 1) == {}


def test_brands_of_one_owner_share_a_group_and_others_do_not(members: Members) -> None:
    groups = [
        members.add_member(issuer, "platform", control_group=owner).org.group
        for issuer, owner in ((PIXEL, "Aurora"), (MOSAIC, " AURORA "), ("https://solo.example", None))
    ]
    assert groups[0] == groups[1] != groups[2]


KEY = SigningKey.generate()
REFUSED: dict[str, tuple[Callable[[Members], object], str, str]] = {
    "issuer taken": (lambda m: m.add_member(PIXEL, "platform"), "conflict", "issuer"),
    "bad issuer": (lambda m: m.add_member("pixel", "platform"), "claim-invalid", "issuer"),
    "bad class": (lambda m: m.add_member(MOSAIC, "ministry"), "claim-invalid", "class"),
    "bad owner": (lambda m: m.add_member(MOSAIC, "platform", control_group=" "), "claim-invalid", "control_group"),
    "bad cap": (lambda m: m.add_member(MOSAIC, "platform", signals_per_hour=-1), "claim-invalid", "signals_per_hour"),
    "bad scopes": (lambda m: m.add_member(MOSAIC, "platform", scopes=["admin"]), "claim-invalid", "scopes"),
    "unknown community": (
        lambda m: m.add_member(MOSAIC, "platform", grants={"elsewhere": (True, True)}),
        "not-found",
        "community",
    ),
    "key of another": (lambda m: m.add_member(MOSAIC, "platform", keys=[NewKey(KEY.public)]), "conflict", "key"),
    "same key twice": (lambda m: m.add_key(PIXEL, NewKey(KEY.public)), "conflict", "key"),
    "key without a life": (lambda m: m.add_key(PIXEL, NewKey(SigningKey.generate().public, None, 0)),
                           "claim-invalid", "not_after"),
    "key of nobody": (lambda m: m.add_key(MOSAIC, NewKey(SigningKey.generate().public)), "not-found", "issuer"),
    "revoke no key": (lambda m: m.revoke_key("nobody"), "not-found", "kid"),
    "suspend nobody": (lambda m: m.suspend(MOSAIC), "not-found", "issuer"),
    "reinstate the active": (lambda m: m.reinstate(PIXEL), "conflict", "state"),
    "cap of nobody": (lambda m: m.set_cap(MOSAIC, 1), "not-found", "issuer"),
    "negative cap": (lambda m: m.set_cap(PIXEL, -1), "claim-invalid", "signals_per_hour"),
    "client of nobody": (lambda m: m.add_client(MOSAIC), "not-found", "issuer"),
    "client without scopes": (lambda m: m.add_client(PIXEL, []), "claim-invalid", "scopes"),
    "revoke no client": (lambda m: m.revoke_client("cl_x"), "not-found", "client_id"),
    "community again": (lambda m: m.add_community("child-safety"), "conflict", "community"),
    "bad community": (lambda m: m.add_community("Child Safety"), "claim-invalid", "community"),
    "grant to nobody": (lambda m: m.grant(MOSAIC, "child-safety", may_read=True, may_write=True),
                        "not-found", "issuer"),
    "grant nowhere": (lambda m: m.grant(PIXEL, "elsewhere", may_read=True, may_write=True),
                      "not-found", "community"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_and_nothing_changes(
    members: Members, database: Database, case: str
) -> None:
    act, code, field = REFUSED[case]
    members.add_community("child-safety")
    members.add_member(PIXEL, "platform", keys=[NewKey(KEY.public)])
    before = contents(database)
    with pytest.raises(Refused) as caught:
        act(members)
    assert (caught.value.code, caught.value.field) == (code, field)
    assert contents(database) == before


def test_what_is_revoked_stays_revoked(members: Members, database: Database) -> None:
    view = members.add_member(PIXEL, "platform", keys=[NewKey(KEY.public)])
    members.revoke_key(KEY.public.kid)
    members.revoke_client(view.clients[0].client_id)
    before = contents(database)
    acts: list[Callable[[], object]] = [
        lambda: members.revoke_key(KEY.public.kid),
        lambda: members.add_key(PIXEL, NewKey(KEY.public)),
        lambda: members.revoke_client(view.clients[0].client_id),
    ]
    for act in acts:
        with pytest.raises(Refused) as caught:
            act()
        assert caught.value.code == "conflict"
    assert contents(database) == before
    (view,) = members.list_members()
    assert view.keys[0].revoked_at == database.clock()
    assert view.clients[0].revoked


def test_suspension_and_back(members: Members, database: Database) -> None:
    members.add_member(PIXEL, "platform")
    suspended = members.suspend(PIXEL)
    assert (suspended.state, suspended.state_since) == ("suspended", database.clock())
    with pytest.raises(Refused):
        members.suspend(PIXEL)
    assert members.reinstate(PIXEL).state == "active"


def test_a_cap_is_set_and_taken_back(members: Members) -> None:
    members.add_member(PIXEL, "platform")
    assert members.set_cap(PIXEL, 7).signals_per_hour == 7
    assert members.set_cap(PIXEL, None).signals_per_hour is None


def test_rights_are_replaced_not_added(members: Members, database: Database) -> None:
    members.add_community("child-safety")
    org = members.add_member(PIXEL, "platform").org
    for read, write in ((True, True), (True, False), (False, True), (False, False)):
        members.grant(PIXEL, "child-safety", may_read=read, may_write=write)
        with database.snapshot() as uow:
            assert list(members.grants(uow, org.id).values()) == [(write, read)]
    # What it signed before must still be verified, so its keys stay where followers find them.
    with database.snapshot() as uow:
        directory = members.directory(uow, members.communities(uow)["child-safety"])
    assert [member.issuer for member in directory.members] == [PIXEL]
    assert members.communities_of(org.id) == []


def test_a_read_only_hub_admits_nobody(database_url: str, settings: Settings) -> None:
    replica = Database(database_url, read_only=True)
    members = Members(replica, settings)
    for act in (lambda: members.add_community("child-safety"), lambda: members.add_member(PIXEL, "platform")):
        with pytest.raises(Refused) as caught:
            act()
        assert caught.value.code == "unavailable"
    assert members.list_members() == []
    replica.dispose()


STATEMENTS = {
    "class": "UPDATE organisation SET member_class = 'ministry'",
    "state": "UPDATE organisation SET state = 'draft'",
    "issuer": "UPDATE organisation SET issuer = 'Pixel Incorporated'",
    "cap": "UPDATE organisation SET signals_per_hour = -1",
    "group": "UPDATE organisation SET control_group_id = 'cg_nobody'",
    "group id": "INSERT INTO control_group (id, created_at) VALUES ('Aurora', 1)",
    "key": "UPDATE member_key SET alg = 'ES256'",
    "life": "UPDATE member_key SET not_after = not_before",
    "owner": "UPDATE member_key SET organisation_id = 999",
    "scopes": "UPDATE client SET scopes = 'admin'",
    "no scopes": "UPDATE client SET scopes = ''",
    "jti": "INSERT INTO assertion (client_id, jti, expires_at) "
           "SELECT client_id, CAST('short' AS {bytes}), 1 FROM client",
    "client": "INSERT INTO assertion (client_id, jti, expires_at) SELECT 'cl_x', public, 1 FROM member_key",
    "second community": "INSERT INTO community (slug, created_at) VALUES ('child-safety', 1)",
    "member of nothing": "INSERT INTO community_member (community_id, organisation_id, may_write, may_read) "
                         "SELECT 999, id, true, true FROM organisation",
}  # fmt: skip


@pytest.mark.parametrize("case", STATEMENTS)
def test_the_database_refuses_too(members: Members, database: Database, case: str) -> None:
    """Every check that matters is also a constraint: a defect above it cannot store what must not be."""
    members.add_community("child-safety")
    members.add_member(PIXEL, "platform", keys=[NewKey(KEY.public)])
    statement = STATEMENTS[case].format(bytes="bytea" if database.dialect == "postgresql" else "blob")
    with pytest.raises(IntegrityError), database.transaction() as uow:
        uow.conn.execute(text(statement))
