"""The receivers to begin with, each run by its own language: they take what a hub sends, and nothing else."""

import time

import pytest

from tests.client.posting import CHALLENGE, OTHER, SECRET, SEED, SIGNER, WHSEC, body, challenge, live, post
from tests.client.programs import free_port, running
from tocsin_client.snippets import SNIPPETS, Snippet
from tocsin_schemas.webhooks import Signer, render_secret

NEXT = bytes(range(50, 98))


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda one: str(one.language))
def test_a_receiver_to_begin_with(snippet: Snippet) -> None:
    now = int(time.time())
    stale = SIGNER.headers("msg_stale", now - 301, body()), body()
    early = SIGNER.headers("msg_early", now + 330, body()), body()
    with running(snippet, free_port(), WHSEC, render_secret(NEXT)) as program:
        # 1. What is signed is handled, once, and the challenge goes back.
        assert 200 <= post(program.url, live("msg_1")).status_code < 300
        assert program.line() == "signal.recorded msg_1"
        assert 200 <= post(program.url, live("msg_1")).status_code < 300
        answer = post(program.url, challenge(at=now))
        assert (answer.status_code, answer.json()) == (200, {"challenge": CHALLENGE})
        # 2. Either of two secrets will do, also among signatures of others.
        rotating = Signer([bytes(24), NEXT], [SEED])
        assert 200 <= post(program.url, live("msg_2", signer=rotating)).status_code < 300
        # 3. Foreign, tampered, stale and bare requests are refused.
        headers, content = live("msg_3")
        shifted = SIGNER.headers("msg_a", now, f"{now}.".encode() + content)
        for made in (
            live("msg_3", signer=OTHER),
            (headers, content.replace(b"recorded", b"expired!")),
            (headers | {"webhook-id": "msg_4"}, content),
            (headers | {"webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}, content),
            (headers | {"webhook-timestamp": "now"}, content),
            (headers | {"webhook-signature": "v1,"}, content),
            (headers | {"webhook-signature": "v1"}, content),
            (shifted | {"webhook-id": f"msg_a.{now}"}, content),
            stale,
            early,
            ({}, content),
        ):
            refused = post(program.url, made)
            assert 400 <= refused.status_code < 500, made
        assert 200 <= post(program.url, live("msg_5", "key.revoked")).status_code < 300
        assert program.rest() == ["signal.recorded msg_2", "key.revoked msg_5"]


def test_each_is_short_and_holds_no_secret() -> None:
    for snippet in SNIPPETS:
        assert snippet.text.count("\n") <= 100
        assert "TOCSIN_WEBHOOK_SECRET" in snippet.text
        assert "whsec_" not in snippet.text
        assert render_secret(SECRET) not in snippet.text
