"""Signing in at an OpenID provider: who joined the two accounts, in their own browser, and nobody's word mixed up."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from joserfc.jwk import ECKey, KeySet, OctKey
from pydantic import SecretStr

from tests.accounts import provider as providers
from tests.accounts.asking import assert_page, assert_refused_page, assert_signed_out, refuses
from tests.accounts.provider import CLIENT_ID, SECRET, Provider
from tests.support.clock import MovableClock
from tests.support.console import Console, Visitor
from tests.support.databases import Databases
from tests.support.hub import ISSUER, Hub, in_process
from tocsin.accounts.rules import CHALLENGE_SECONDS
from tocsin.accounts.service import openid
from tocsin.accounts.service.directory import lock
from tocsin.accounts.service.openid import AT_ONCE, KEPT_SECONDS, REST_SECONDS
from tocsin.config import Settings
from tocsin.errors import Refused

CALLBACK = "/console/openid"


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with providers.serving() as running:
        running.redirect_uri = ISSUER + CALLBACK
        yield running


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def site(
    request: pytest.FixtureRequest,
    databases: Databases,
    provider: Provider,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Hub]:
    """A hub that knows the provider; its clock begins now, as the provider's does."""
    folder = tmp_path_factory.mktemp("openid")
    with databases.migrated(request.param, folder) as url:
        settings = Settings(
            issuer=ISSUER,
            data_dir=folder / "data",
            database_url=SecretStr(url),
            ingest_processes=0,
            run_jobs=False,
            sandbox=True,
            oidc_issuer=provider.issuer,
            oidc_client_id=CLIENT_ID,
            oidc_client_secret=SecretStr(SECRET),
        )
        with in_process(settings, MovableClock(int(time.time()))) as hub:
            yield hub


@pytest.fixture(autouse=True)
def _honest(provider: Provider, site: Hub) -> Iterator[None]:
    """Whatever a test had the provider say, the next begins with an honest one, and with the time of now."""
    before = dict(vars(provider))
    site.clock.now = int(time.time())
    yield
    vars(provider).update(before)
    provider.lies, provider.says = {}, {}
    site.app.state.accounts.provider._known = site.app.state.accounts.provider._silent_at = None


def joined(console: Console, provider: Provider, handle: str) -> Visitor:
    """Somebody who has joined who they are there to who they are here."""
    provider.subject = f"subject of {handle}"
    visitor = console.person(handle)
    assert visitor.get(local(provider.sign_in(to_join(visitor)))).headers["location"] == "/console/security"
    return visitor


def to_join(visitor: Visitor) -> str:
    (address,) = [
        link
        for link in assert_page(visitor.post("/console/security/openid")).attributes("a", "href")
        if link.startswith("http:")
    ]
    return address


def to_enter(visitor: Visitor) -> str:
    answer = visitor.get("/console/sign-in/openid")
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def local(address: str) -> str:
    assert address.startswith(ISSUER + CALLBACK)
    return address.removeprefix(ISSUER)


def test_whoever_joined_the_two_signs_in_there(console: Console, provider: Provider, handle: str) -> None:
    joined(console, provider, handle)
    visitor = console.visitor()
    assert f"Sign in at {provider.issuer}" in assert_page(visitor.get("/console/sign-in")).text
    before = visitor.secret
    answer = visitor.get(local(provider.sign_in(to_enter(visitor))))
    assert (answer.status_code, answer.headers["location"]) == (303, "/console")
    assert visitor.secret != before
    person = console.accounts.identify(visitor.secret)
    assert (person.handle, person.method, person.passkey) == (handle, "oidc", False)
    # What they sign in with they cannot change from there.
    assert_refused_page(visitor.post("/console/security/codes/remove"), "passkey-needed")
    assert_refused_page(visitor.post("/console/security/passkeys"), "passkey-needed")
    assert provider.asked[-1] == "basic"


def test_a_stranger_with_an_account_there_is_a_stranger_here(
    console: Console, site: Hub, provider: Provider, handle: str
) -> None:
    """The address, the name and whatever else the provider says make nobody anybody."""
    joined(console, provider, handle)
    provider.subject = "somebody else"
    provider.lies = {"email": f"{handle}@pixel.example", "preferred_username": handle}
    visitor = console.visitor()
    back = provider.sign_in(to_enter(visitor))
    with refuses(site):
        assert_refused_page(visitor.get(local(back)), "sign-in-refused")
    assert_signed_out(visitor)


def test_parted_or_locked_they_sign_in_no_more(console: Console, provider: Provider, handle: str) -> None:
    owner = joined(console, provider, handle)
    lock(console.accounts.context, handle, locked=True)
    visitor = console.visitor()
    assert_refused_page(visitor.get(local(provider.sign_in(to_enter(visitor)))), "sign-in-refused")
    lock(console.accounts.context, handle, locked=False)
    owner.sign_in()
    assert owner.post("/console/security/openid/remove").status_code == 303
    assert_refused_page(visitor.get(local(provider.sign_in(to_enter(visitor)))), "sign-in-refused")


def test_an_identity_is_one_persons(console: Console, site: Hub, provider: Provider, handle: str) -> None:
    joined(console, provider, handle)
    other = console.person(f"{handle}-b")
    back = provider.sign_in(to_join(other))
    with refuses(site):
        assert_refused_page(other.get(local(back)), "conflict")


def test_an_answer_is_for_the_browser_that_asked_and_once(
    console: Console, site: Hub, provider: Provider, handle: str
) -> None:
    """Login CSRF: an answer made for one visitor signs no other in, to no account."""
    joined(console, provider, handle)
    asking, other = console.visitor(), console.visitor()
    other.read("/console/sign-in")
    back = local(provider.sign_in(to_enter(asking)))
    before = dict(asking.cookies)
    with refuses(site, frozenset()):
        assert_refused_page(other.get(back), "challenge-invalid")
        assert_refused_page(console.visitor().get(back), "challenge-invalid")
    assert asking.get(back).status_code == 303
    asking.cookies = before
    assert asking.get(back).status_code in {401, 422}
    assert_signed_out(asking)


def test_the_state_says_what_it_was_for(console: Console, site: Hub, provider: Provider, handle: str) -> None:
    owner = joined(console, provider, handle)
    visitor = console.visitor()
    back = local(provider.sign_in(to_enter(visitor)))
    state = parse_qs(urlsplit(back).query)["state"][0]
    code = parse_qs(urlsplit(back).query)["code"][0]
    swapped = state.replace("enter.", "join.")
    with refuses(site, frozenset()):
        for query in (
            {"code": code},
            {"code": code, "state": ""},
            {"code": code, "state": "enter.AAAA"},
            {"code": code, "state": state[:-2] + ("AA" if state[-2:] != "AA" else "BB")},
            {"error": "access_denied"},
        ):
            answer = visitor.get(f"{CALLBACK}?{urlencode(query)}")
            assert answer.status_code in {400, 422}, answer.text
        assert_refused_page(
            owner.get(f"{CALLBACK}?{urlencode({'code': code, 'state': swapped})}"), "challenge-invalid"
        )
        denied = f"{CALLBACK}?{urlencode({'error': '<script>', 'state': state})}"
        assert_refused_page(visitor.get(denied), "provider-refused")
        assert visitor.get(f"{back}&state=x").status_code == 404
    site.clock.advance(CHALLENGE_SECONDS)
    with refuses(site, frozenset()):
        assert_refused_page(visitor.get(back), "challenge-invalid")


LIES: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://evil.example"},
    "for another client": {"aud": "another"},
    "for several, authorised to another": {"aud": [CLIENT_ID, "another"], "azp": "another"},
    "another nonce": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "run out": {"exp": 1},
    "from the future": {"iat": 4_000_000_000},
    "no subject": {"sub": ""},
    "no word for a subject": {"sub": 7},
    "of another access token": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
}


def test_an_id_token_that_does_not_hold_signs_nobody_in(
    console: Console, site: Hub, provider: Provider, handle: str
) -> None:
    joined(console, provider, handle)
    for name, lie in LIES.items():
        visitor = console.visitor()
        provider.lies = {}
        before = set(provider.codes)
        back = provider.sign_in(to_enter(visitor))
        provider.lies = lie
        with refuses(site, frozenset()):
            assert_refused_page(visitor.get(local(back)), "provider-refused")
        assert set(provider.codes) == before, f"{name}: the code was not exchanged"
        assert_signed_out(visitor)
    provider.lies = {}
    assert visitor.get(local(provider.sign_in(to_enter(visitor)))).status_code == 303


def test_an_id_token_signed_by_anybody_else_signs_nobody_in(
    console: Console, site: Hub, provider: Provider, handle: str
) -> None:
    joined(console, provider, handle)
    forged: list[tuple[ECKey | OctKey, str]] = [
        (ECKey.generate_key("P-256", {"kid": "k1"}), "ES256"),
        # Keyed with what both sides know.
        (OctKey.import_key(SECRET, {"kid": "k1"}), "HS256"),
    ]
    for key, alg in forged:
        visitor = console.visitor()
        back = provider.sign_in(to_enter(visitor))
        provider.key, provider.alg = key, alg
        with refuses(site, frozenset()):
            assert_refused_page(visitor.get(local(back)), "provider-refused")


def test_another_providers_answer_is_refused(
    console: Console, site: Hub, provider: Provider, handle: str
) -> None:
    """Mix-up (RFC 9207): the answer names who gives it, where that is promised."""
    joined(console, provider, handle)
    visitor = console.visitor()
    back = local(provider.sign_in(to_enter(visitor)))
    with refuses(site, frozenset()):
        answer = visitor.get(f"{back}&{urlencode({'iss': 'https://evil.example'})}")
        assert_refused_page(answer, "provider-refused")
    provider.says = {"authorization_response_iss_parameter_supported": True}
    site.app.state.accounts.provider._known = site.app.state.accounts.provider._silent_at = None
    with refuses(site, frozenset()):
        assert_refused_page(visitor.get(back), "provider-refused")
    assert visitor.get(f"{back}&{urlencode({'iss': provider.issuer})}").status_code == 303


def test_pkce_binds_the_code_to_this_hub(
    console: Console, site: Hub, provider: Provider, handle: str
) -> None:
    joined(console, provider, handle)
    visitor = console.visitor()
    back = provider.sign_in(to_enter(visitor))
    for code in provider.codes.values():
        code.code_challenge = "A" * 43
    with refuses(site, frozenset()):
        assert_refused_page(visitor.get(local(back)), "provider-refused")


@pytest.mark.parametrize("methods", [["client_secret_post"], ["client_secret_basic", "client_secret_post"]])
def test_the_secret_goes_as_the_provider_takes_it(
    console: Console, site: Hub, provider: Provider, methods: list[str]
) -> None:
    provider.methods = methods
    site.app.state.accounts.provider._known = site.app.state.accounts.provider._silent_at = None
    handle = f"secret-{len(methods)}"
    joined(console, provider, handle)
    assert provider.asked[-1] == "post"


def test_a_provider_that_does_not_answer_or_is_another(
    console: Console, site: Hub, provider: Provider
) -> None:
    at = site.app.state.accounts.provider
    visitor = console.visitor()
    for says in (
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://evil.example/token", "jwks_uri": "http://evil.example/jwks"},
        {"authorization_endpoint": "javascript:alert(1)"},
    ):
        provider.says, at._known = says, None
        answer = visitor.get("/console/sign-in/openid")
        assert_refused_page(answer, "provider-unavailable")
        assert "evil" not in answer.text
        assert answer.headers["retry-after"] == "30"
    provider.says, at._known = {}, None
    address = to_enter(visitor)
    # Asked for again after an hour, and not before.
    published = provider.published
    provider.published = KeySet([ECKey.generate_key("P-256", {"kid": "k2"})])
    assert to_enter(visitor) != address
    assert at._known[2] == published.as_dict(private=False)
    site.clock.advance(KEPT_SECONDS)
    to_enter(visitor)
    assert at._known[2] == provider.published.as_dict(private=False)


def test_a_provider_that_hangs_keeps_one_waiting_and_is_then_left_alone(
    site: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openid, "SECONDS", 2.0)
    accounts, now = site.app.state.accounts, site.clock.now
    heard = threading.Semaphore(0)
    with socket.create_server(("127.0.0.1", 0)) as silent, ThreadPoolExecutor(1) as pool:
        kept = []

        def listen() -> None:
            while True:
                try:
                    kept.append(silent.accept()[0])
                except OSError:
                    return
                heard.release()

        threading.Thread(target=listen, daemon=True).start()
        issuer = f"http://127.0.0.1:{silent.getsockname()[1]}"
        at = openid.Provider(issuer, CLIENT_ID, None, ISSUER, accounts.provider._egress)

        def ask(when: int) -> float:
            began = time.monotonic()
            with pytest.raises(Refused, match="provider-unavailable"):
                at.address(accounts.context.secrets, "a-visit", "enter", when)
            return time.monotonic() - began

        first = pool.submit(ask, now)
        assert heard.acquire(timeout=5)
        # 1. Whoever comes meanwhile does not wait in line.
        assert max(ask(now) for _ in range(50)) < 1
        assert first.result() >= 2
        # 2. It is not asked again before it has rested.
        assert max(ask(now + REST_SECONDS - 1) for _ in range(50)) < 1
        assert not heard.acquire(blocking=False)
        # 3. Nor asked less because a clock was set back.
        ask(now + REST_SECONDS)
        assert heard.acquire(timeout=5)
        ask(now - 1)
        assert heard.acquire(timeout=5)
        silent.shutdown(socket.SHUT_RDWR)
        for connection in kept:
            connection.close()


def test_what_is_known_of_the_provider_serves_while_it_is_asked_again(site: Hub, provider: Provider) -> None:
    accounts, now = site.app.state.accounts, site.clock.now
    at = accounts.provider
    first = at.address(accounts.context.secrets, "a-visit", "enter", now)
    with at._finding_out:
        later = at.address(accounts.context.secrets, "a-visit", "enter", now + KEPT_SECONDS)
    assert first.partition("?")[0] == later.partition("?")[0]
    # No more conversations at once than may keep threads waiting.
    for _ in range(AT_ONCE):
        assert at._turns.acquire(blocking=False)
    with pytest.raises(Refused, match="provider-unavailable"):
        at.address(accounts.context.secrets, "a-visit", "enter", now + KEPT_SECONDS)
    at._turns.release(AT_ONCE)
    assert at.address(accounts.context.secrets, "a-visit", "enter", now + KEPT_SECONDS)


def test_what_the_settings_say_together() -> None:
    good: dict[str, Any] = {"oidc_issuer": "https://login.example", "oidc_client_id": "tocsin"}
    assert Settings(**good).oidc_secret() is None
    refused: list[dict[str, Any]] = [
        {"oidc_issuer": "https://login.example"},
        {"oidc_client_id": "tocsin"},
        {**good, "oidc_issuer": "http://login.example"},
        {**good, "oidc_client_secret": "x", "oidc_client_secret_file": "/x"},
    ]
    for wrong in refused:
        with pytest.raises(ValueError, match="oidc"):
            Settings(**wrong)
