"""Secrets of endpoints: derived from the hub's key and from nothing that is stored."""

from itertools import pairwise
from typing import NamedTuple

from tests.support.clock import START
from tocsin.errors import Refused
from tocsin.webhooks.service.secrets import Secrets
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.webhooks import parse_key, parse_secret, verify

DAY = 86_400
BODY = b'{"type":"endpoint.test"}'


class Keyed(NamedTuple):
    public_id: str
    generation: int
    rotated_at: int | None


def test_each_endpoint_and_each_generation_has_its_own() -> None:
    secrets = Secrets(SigningKey.generate())
    shown = [secrets.shown(name, number) for name in ("ep_1", "ep_11") for number in (1, 2, 11)]
    texts = [text for one in shown for text in one]
    assert len(set(texts)) == len(texts)
    raw = [parse_secret(one.secret) for one in shown] + [parse_key(one.public_key) for one in shown]
    assert all(len(one) == 32 for one in raw)
    assert all(a != b for a, b in pairwise(sorted(raw)))


def test_they_come_from_the_key_alone() -> None:
    key = SigningKey.generate()
    again = SigningKey.from_jwk(key.jwk())
    assert Secrets(key).shown("ep_1", 1) == Secrets(again).shown("ep_1", 1)
    assert Secrets(SigningKey.generate()).shown("ep_1", 1) != Secrets(key).shown("ep_1", 1)
    assert key.jwk()["d"] not in "".join(Secrets(key).shown("ep_1", 1))


def test_old_and_new_verify_for_a_day_after_a_rotation() -> None:
    secrets = Secrets(SigningKey.generate())
    shown = {number: secrets.shown("ep_1", number) for number in (1, 2, 3)}

    def verifying(endpoint: Keyed, now: int) -> set[tuple[int, str]]:
        headers = secrets.signer(endpoint, now).headers("msg_1", now, BODY)
        found = set()
        for number, one in shown.items():
            for kind, pair in (
                ("v1", ([parse_secret(one.secret)], [])),
                ("v1a", ([], [parse_key(one.public_key)])),
            ):
                try:
                    verify(headers, BODY, now=now, secrets=pair[0], keys=pair[1])
                except Refused:
                    continue
                found.add((number, kind))
        return found

    assert verifying(Keyed("ep_1", 1, None), START) == {(1, "v1"), (1, "v1a")}
    both = {(2, "v1"), (2, "v1a"), (1, "v1"), (1, "v1a")}
    assert verifying(Keyed("ep_1", 2, START), START) == both
    assert verifying(Keyed("ep_1", 2, START), START + DAY - 1) == both
    assert verifying(Keyed("ep_1", 2, START), START + DAY) == {(2, "v1"), (2, "v1a")}
    assert verifying(Keyed("ep_2", 2, START), START) == set()
