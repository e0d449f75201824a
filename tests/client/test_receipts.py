"""The SDK and proofs: asked for by number, waited for with a submission, and never believed for their shape."""

import pytest

from tests.client.simulator import DAY, report, sha256
from tests.client.webserver import Answer, Asked, Web, serving
from tests.support.hub import Hub
from tests.support.parties import Party
from tests.support.proving import publishing, verified
from tocsin.signals.routes import receipts as routes
from tocsin_client.client import Client
from tocsin_client.http import HubError, Transport
from tocsin_client.submit import Author, Rejection
from tocsin_schemas.feed import Receipt
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.ledger import Entry, opens

SLUG = "child-safety"


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, what is waited for comes."""
    monkeypatch.setattr(routes, "WAIT_SECONDS", 60)


def signed(party: Party, client: Client, names: str) -> list[bytes]:
    until = party.endpoint.clock() + DAY
    audience = client.audience(SLUG)
    return [party.author.sign(report(until), [sha256(name)], audience=audience) for name in names]


def test_a_receipt_is_a_proof_that_opens_what_was_said(hub: Hub) -> None:
    pixel = hub.party("pixel")
    client = pixel.sdk()
    (token,) = signed(pixel, client, "a")
    receipt = client.send(token)
    assert receipt.proof is None
    hub.publish()
    proof = client.receipt(receipt.seq)
    extra = verified(hub, proof.encode(), receipt.seq)
    entry = Entry.decode(receipt.entry.encode())
    assert extra["entry"] == receipt.entry
    assert opens(entry.commitment, bytes.fromhex(extra["r"]), token)


def test_an_entry_that_is_not_published_yet_is_asked_for_again(hub: Hub) -> None:
    pixel = hub.party("pixel")
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        hub.publish()

    transport = Transport(hub.issuer, http=hub.http, pause=pause)
    client = Client(hub.issuer, pixel.author, pixel.client_id, transport=transport)
    (token,) = signed(pixel, client, "a")
    seq = client.send(token).seq
    verified(hub, client.receipt(seq).encode(), seq)
    assert len(pauses) == 1
    assert pauses[0] >= 1
    with pytest.raises(HubError) as refused:
        client.receipt(seq + 1)
    assert (refused.value.code, refused.value.status) == ("not-found", 404)


def test_submissions_may_wait_for_their_proofs(hub: Hub) -> None:
    pixel = hub.party("pixel")
    client = pixel.sdk()
    first, *more = signed(pixel, client, "abc")
    with publishing(hub):
        receipts = [client.send(first, wait="proof"), *client.submit([*more, b"nonsense"], wait="proof")]
    refused = receipts.pop()
    assert isinstance(refused, Rejection)
    assert refused.code == "envelope-malformed"
    for seq, receipt in enumerate(receipts):
        assert isinstance(receipt, Receipt)
        assert receipt.proof is not None
        assert verified(hub, receipt.proof.encode(), seq)["entry"] == receipt.entry


def test_what_is_no_proof_is_the_hubs_fault() -> None:
    def answer(asked: Asked) -> Answer:
        if asked.path == "/oauth/token":
            return Answer(200, b'{"access_token":"t","token_type":"Bearer","expires_in":300}')
        return Answer(200, b"c2sp.org/tlog-proof@v1\nindex 01\n\n")

    with serving(answer) as web:
        with client_of(web) as client, pytest.raises(HubError, match="answer-invalid"):
            client.receipt(1)


def client_of(web: Web) -> Client:
    author = Author("https://pixel.example", SigningKey.generate("Ed25519"))
    return Client(web.url, author, "cl_1", transport=Transport(web.url, retries=0))
