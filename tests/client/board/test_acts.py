"""What a member signs about itself, and what is made of an answer that is none."""

import json
from typing import Any

import pytest

from tests.client.terminal import Terminal
from tests.client.webserver import Answer, Asked, serving
from tests.support.clock import MovableClock
from tocsin_client.board import applying
from tocsin_client.board.acts import Acts
from tocsin_client.http import HubError, Transport
from tocsin_client.submit import Author
from tocsin_schemas import envelope
from tocsin_schemas.envelope import AuthorKey
from tocsin_schemas.governance import ACT_TYP, PROOF_TYP, read_act
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.signals import LATEST

PIXEL = "https://pixel.example"


@pytest.fixture
def author(clock: MovableClock) -> Author:
    return Author(PIXEL, SigningKey.generate(), clock=clock)


def no_record(_: Asked) -> Answer:
    return Answer(201, b"[]", {"Content-Type": "application/json"})


def payload(token: bytes, key: SigningKey, typ: str) -> bytes:
    known = {key.public.kid: AuthorKey(key.public, PIXEL, 0, LATEST)}
    return envelope.open_token(token, known, typ).payload


def test_an_added_key_signs_for_itself(author: Author) -> None:
    new = SigningKey.generate("ES256")
    with serving(no_record) as web, Transport(web.url) as transport:
        with pytest.raises(HubError):
            Acts(transport, author).add_key(new)
        (asked,) = web.asked
        hub = web.url
    act = read_act(payload(asked.body, author.key, ACT_TYP))
    assert (act.act, act.iss, act.aud, act.jwk) == ("key-add", PIXEL, hub, new.public.jwk())
    proof = json.loads(payload((act.proof or "").encode(), new, PROOF_TYP))
    assert proof == {"iss": PIXEL, "aud": hub, "kid": new.public.kid, "iat": author.clock()}


@pytest.mark.parametrize(
    "speak",
    [
        lambda transport, author: Acts(transport, author).attest(2026),
        lambda transport, author: applying.sponsor(transport, author, "ap_1"),
        lambda transport, author: applying.appeal(transport, author, 3),
        lambda transport, author: applying.apply(transport, [author], {}),
    ],
    ids=["act", "sponsorship", "appeal", "application"],
)
def test_an_answer_of_another_form_is_the_hubs_fault(author: Author, speak: Any) -> None:
    with serving(no_record) as web, Transport(web.url) as transport, pytest.raises(HubError) as failed:
        speak(transport, author)
    assert failed.value.code == "answer-invalid"


def test_a_line_for_the_application_form_is_made_without_a_network(tmp_path: Any) -> None:
    terminal = Terminal(tmp_path / "home")
    key = terminal.row("keys", "new")["jwk"]
    line = terminal.run("keys", "prove", "--hub", "https://hub.example", "--issuer", PIXEL).stdout
    said = json.loads(line)
    assert said["jwk"] == key
    assert json.loads(envelope.payload_of(said["proof"].encode()))["aud"] == "https://hub.example"


def test_a_form_that_is_no_object_is_not_sent(tmp_path: Any) -> None:
    terminal = Terminal(tmp_path / "home")
    terminal.run("keys", "new")
    form = tmp_path / "form.json"
    for text in ("[]", "{"):
        form.write_text(text)
        words = ("member", "apply", form, "--hub", "https://hub.example", "--issuer", PIXEL)
        assert "JSON object" in terminal.error(*words, code=2)["what"]


def test_who_has_no_profile_says_who_speaks(tmp_path: Any) -> None:
    assert "tocsin login" in Terminal(tmp_path).error("member", "attest", code=2)["next"]
