import json
from collections.abc import Iterator

import pytest

from tests.client.simulator import report, sha256
from tests.client.webserver import Answer, Asked, script, serving
from tests.support.clock import MovableClock
from tocsin_client import submit as submission
from tocsin_client.http import HubError, HubUnreachable, Transport
from tocsin_client.submit import Author, Rejection, batches, new_jti, read_result, submit
from tocsin_schemas import envelope
from tocsin_schemas.envelope import AuthorKey, verify
from tocsin_schemas.feed import DryRun, Receipt
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.problems import Refused
from tocsin_schemas.signals import Retraction

ISSUER = "https://pixel.example"
AUDIENCE = "https://hub.example/communities/child-safety"


def receipt(n: int) -> bytes:
    body = {
        "seq": n,
        "entry": "{}",
        "recorded_at": "2026-11-22T12:00:00Z",
        "expires_at": "2026-12-22T12:00:00Z",
        "status": "candidate",
        "statement": f"{n:064x}",
        "jws_digest": "0" * 64,
    }
    return json.dumps(body).encode()


def echo(asked: Asked) -> Answer:
    """A receipt for each line, that names the line's number."""
    return Answer(200, b"".join(receipt(int(line)) + b"\n" for line in asked.body.split()))


def authorize(_fresh: bool) -> str:
    return "Bearer x"


@pytest.fixture
def author(clock: MovableClock) -> Author:
    return Author(ISSUER, SigningKey.generate(), clock=clock)


def test_ids_are_unique_and_rise_with_time() -> None:
    found = [new_jti() for _ in range(1000)]
    assert len(set(found)) == 1000
    assert {len(jti) for jti in found} == {16}
    assert sorted(jti[:6] for jti in found) == [jti[:6] for jti in found]


class TestAuthor:
    def test_a_signed_report_verifies(self, author: Author, clock: MovableClock) -> None:
        token = author.sign(report(clock() + 100), [sha256("a")], audience=AUDIENCE, observed_at=clock() - 5)
        keys = {author.key.public.kid: AuthorKey(author.key.public, ISSUER, 0, clock() + 1)}
        signal = verify(token, keys).signal
        assert (signal.iss, signal.aud, signal.iat, signal.toe) == (ISSUER, AUDIENCE, clock(), clock() - 5)
        assert signal.indicators == (sha256("a"),)

    def test_a_retraction_names_a_statement(self, author: Author) -> None:
        token = author.sign(Retraction(reason="error"), b"\x07" * 32, audience=AUDIENCE)
        assert json.loads(envelope.payload_of(token))["sub_id"]["id"] == "statement:" + "07" * 32

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"labels": ["test@1:unheard_of"]}, "events.report.labels.0"),
            ({"media": None}, "events.report.media"),
        ],
    )
    def test_what_the_hub_would_refuse_is_not_signed(
        self, author: Author, clock: MovableClock, change: dict, field: str
    ) -> None:
        with pytest.raises(Refused) as caught:
            author.sign(report(clock() + 100, **change), [sha256("a")], audience=AUDIENCE)
        assert caught.value.field == field

    def test_an_issuer_that_is_none_is_not_signed_for(self, clock: MovableClock) -> None:
        author = Author("pixel", SigningKey.generate(), clock=clock)
        with pytest.raises(Refused) as caught:
            author.sign(report(clock() + 100), [sha256("a")], audience=AUDIENCE)
        assert caught.value.field == "iss"


class TestBatches:
    def test_by_lines(self) -> None:
        assert list(batches([b"a", b"b", b"c"], max_lines=2)) == [[b"a", b"b"], [b"c"]]

    def test_by_bytes_with_their_line_ends(self) -> None:
        assert list(batches([b"aaa", b"bbb", b"c"], max_bytes=8)) == [[b"aaa", b"bbb"], [b"c"]]
        assert list(batches([b"aaa", b"bbb", b"c"], max_bytes=7)) == [[b"aaa"], [b"bbb", b"c"]]

    def test_one_too_large_goes_alone(self) -> None:
        assert list(batches([b"a", b"bbbbbb", b"c"], max_bytes=3)) == [[b"a"], [b"bbbbbb"], [b"c"]]

    def test_nothing_makes_no_batch(self) -> None:
        assert list(batches([])) == []

    @pytest.mark.parametrize("token", [b"", b"a\nb"])
    def test_a_token_is_one_line(self, token: bytes) -> None:
        with pytest.raises(Refused, match="one line"):
            list(batches([token]))

    def test_the_limits_are_the_protocols(self) -> None:
        whole = list(batches(b"x" * 10 for _ in range(25_000)))
        assert [len(batch) for batch in whole] == [10_000, 10_000, 5_000]


class TestResults:
    def test_the_three_kinds(self) -> None:
        assert isinstance(read_result(receipt(1)), Receipt)
        dry = b'{"dry_run":true,"would":"record","status":"candidate","statement":"%s"}' % (b"0" * 64)
        assert isinstance(read_result(dry), DryRun)
        refused = read_result(b'{"type":"x","title":"T","status":422,"code":"iat-too-old","extra":1}')
        assert isinstance(refused, Rejection)
        assert refused.next == "Sign it again; live signals are fresh."
        assert Rejection(code="new-code", status=422).next == ""
        assert Rejection(code="new-code", status=422, help="Do this.").next == "Do this."

    @pytest.mark.parametrize(
        "line", [b"{", b"[]", b"{}", b"null", b'{"code":1}', b'{"dry_run":false}', b"\xff"]
    )
    def test_anything_else_is_the_hubs_fault(self, line: bytes) -> None:
        with pytest.raises(HubError, match="answer-invalid"):
            read_result(line)


class TestSubmit:
    def test_results_come_in_order_with_progress(self) -> None:
        done: list[int] = []
        with serving(echo) as web, Transport(web.url) as transport:
            tokens = (b"%d" % n for n in range(10))
            results = list(submit(transport, authorize, tokens, max_lines=4, on_progress=done.append))
        assert [result.seq for result in results if isinstance(result, Receipt)] == list(range(10))
        assert done == [4, 4, 2]
        first = web.asked[0]
        assert (first.method, first.path, first.body) == ("POST", "/v1/signals", b"0\n1\n2\n3\n")
        assert first.headers["content-type"] == "application/secevent+jwt-seq"
        assert first.headers["authorization"] == "Bearer x"

    def test_a_dry_run_says_so(self) -> None:
        with serving(echo) as web, Transport(web.url) as transport:
            list(submit(transport, authorize, [b"1"], dry_run=True))
        assert web.asked[0].path == "/v1/signals?dry_run=true"

    @pytest.mark.parametrize(
        "broken", [Answer(200, receipt(1) + b"\n" + receipt(2) + b"\n", cut=300), Answer(200, receipt(1))]
    )
    def test_a_broken_answer_sends_the_very_same_tokens_again(self, broken: Answer) -> None:
        good = Answer(200, receipt(1) + b"\n" + receipt(2) + b"\n")
        with serving(script(broken, broken, good)) as web, Transport(web.url) as transport:
            results = list(submit(transport, authorize, [b"1", b"2"]))
        assert [result.seq for result in results if isinstance(result, Receipt)] == [1, 2]
        assert [asked.body for asked in web.asked] == [b"1\n2\n"] * 3

    def test_in_the_end_it_gives_up(self) -> None:
        with serving(script(Answer(200, b""))) as web, Transport(web.url) as transport:
            with pytest.raises(HubUnreachable, match="fewer results") as caught:
                list(submit(transport, authorize, [b"1"]))
        assert len(web.asked) == submission.BATCH_ATTEMPTS
        assert "nothing is counted twice" in caught.value.help

    def test_more_results_than_lines_are_the_hubs_fault(self) -> None:
        with (
            serving(script(Answer(200, receipt(1) + b"\n" + receipt(2)))) as web,
            Transport(web.url) as transport,
        ):
            with pytest.raises(HubError, match="more results"):
                list(submit(transport, authorize, [b"1"]))
        assert len(web.asked) == 1

    def test_tokens_are_taken_as_batches_need_them(self) -> None:
        taken: list[int] = []

        def tokens() -> Iterator[bytes]:
            for n in range(6):
                taken.append(n)
                yield b"%d" % n

        with serving(echo) as web, Transport(web.url) as transport:
            results = submit(transport, authorize, tokens(), max_lines=2)
            next(results)
            assert taken == [0, 1, 2], "one ahead, to know that the batch is full"
            list(results)

    def test_a_refused_batch_ends_the_submission(self) -> None:
        answer = Answer(
            403, b'{"code":"member-suspended","status":403}', {"content-type": "application/problem+json"}
        )
        with serving(script(answer)) as web, Transport(web.url) as transport:
            with pytest.raises(HubError, match="member-suspended"):
                list(submit(transport, authorize, [b"1"]))
