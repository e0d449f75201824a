"""Laws of signed webhook requests: what is signed verifies, and any other request does not; gaps and arrivals agree."""

from hypothesis import given
from hypothesis import strategies as st

from tocsin_client.webhook_journal import Journal, Told
from tocsin_schemas.problems import Refused
from tocsin_schemas.webhooks import HEADERS, Signer, Verified, verify

IDS = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="."), min_size=1, max_size=128
)
SECRETS = st.lists(st.binary(min_size=24, max_size=64), max_size=3)
SEEDS = st.lists(st.binary(min_size=32, max_size=32), max_size=2)
TIMES = st.integers(min_value=0, max_value=10**11)
NUMBERS = st.integers(min_value=1, max_value=12)


@given(message_id=IDS, at=TIMES, body=st.binary(max_size=200), secrets=SECRETS, seeds=SEEDS)
def test_whoever_holds_one_of_the_keys_verifies(
    message_id: str, at: int, body: bytes, secrets: list[bytes], seeds: list[bytes]
) -> None:
    if not secrets and not seeds:
        return
    signer = Signer(secrets, seeds)
    headers = signer.headers(message_id, at, body)
    expected = Verified(message_id, at, body)
    for secret in secrets:
        assert verify(headers, body, now=at, secrets=[secret]) == expected
    for key in signer.public_keys:
        assert verify(headers, body, now=at, keys=[key]) == expected


SIGNER = Signer([bytes(range(32))], [bytes(range(32))])


@given(
    body=st.binary(max_size=60),
    other=st.binary(max_size=60),
    name=st.sampled_from(HEADERS),
    at=st.integers(min_value=0, max_value=300),
    char=st.characters(codec="utf-8"),
    data=st.data(),
)
def test_a_request_of_which_anything_was_changed_is_refused(
    body: bytes, other: bytes, name: str, at: int, char: str, data: st.DataObject
) -> None:
    whole = SIGNER.headers("msg_1", 150, body)
    value = whole[name]
    place = data.draw(st.integers(min_value=0, max_value=len(value) - 1))
    changed = whole | {name: value[:place] + char + value[place + 1 :]}
    for headers, content in ((changed, body), (whole, other)):
        if (headers, content) == (whole, body):
            continue
        for keys in ({"secrets": [bytes(range(32))]}, {"keys": SIGNER.public_keys}):
            try:
                found = verify(headers, content, now=at, **keys)
            except Refused:
                continue
            # Only the other kind's signature, or its version, can have been touched without being looked at.
            assert name == "webhook-signature"
            assert found == Verified("msg_1", 150, body)


@given(st.lists(NUMBERS, max_size=40))
def test_the_gaps_are_what_did_not_arrive(numbers: list[int]) -> None:
    with Journal() as journal:
        for number in numbers:
            told = Told("board", number, number * 10)
            before = journal.gap_before(told)
            journal.begin(f"msg_{number}", 0)
            journal.handled(f"msg_{number}", told)
            if before is not None:
                assert before in journal.gaps()
        missing = {n for gap in journal.gaps() for n in range(gap.first, gap.last + 1)}
        assert missing == set(range(1, max(numbers, default=0) + 1)) - set(numbers)
        for gap in journal.gaps():
            assert gap.after == (None if gap.first == 1 else (gap.first - 1) * 10)
