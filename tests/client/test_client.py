"""The SDK against the real hub in this process, and against servers that answer nonsense."""

import json
import time

import pytest
from backports import zstd

from tests.client.pictures import landscape, save
from tests.client.simulator import DAY, report, sha256
from tests.client.webserver import Answer, Asked, Web, serving
from tests.support.hub import Hub
from tests.support.views import newest_view
from tocsin_client.audit import audit
from tocsin_client.client import Client
from tocsin_client.hashing import hash_file
from tocsin_client.http import Call, HubError, HubUnreachable, Transport
from tocsin_client.match import Matcher
from tocsin_client.mirror import Mirror
from tocsin_client.submit import Author, Rejection
from tocsin_schemas.feed import DryRun, Gone, Live, Receipt
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.ledger import Entry, instant, opens
from tocsin_schemas.problems import Refused
from tocsin_schemas.signals import Dispute, Media, Outcome, Sighting

SLUG = "child-safety"
DISPUTE = Dispute(reason="false_positive", basis="human_confirmed")


def mirror_of(hub: Hub, tmp_path, name: str = "mirror") -> Mirror:
    return Mirror.open(tmp_path / f"{name}.sqlite3", hub.issuer, SLUG, clock=hub.clock)


class TestSpeaking:
    def test_who_am_i(self, hub: Hub) -> None:
        me = hub.party("forum", communities={SLUG: "r", "ncii": "rw"}).sdk().me()
        assert (me.issuer, me.state, me.signals_left) == ("https://forum.example", "active", 200_000)
        assert {(view.community, view.may_write) for view in me.communities} == {
            (SLUG, False),
            ("ncii", True),
        }

    def test_communities_directory_and_policy(self, hub: Hub) -> None:
        client = hub.party("pixel").sdk()
        hub.party("forum", alg="ES256")
        assert [view.audience for view in client.communities()] == [client.audience(SLUG)]
        directory = client.directory(SLUG)
        assert {member.issuer for member in directory.members} == {
            "https://pixel.example",
            "https://forum.example",
        }
        assert client.policy().version == 1

    def test_a_report_gets_a_receipt_that_fits_the_log(self, hub: Hub) -> None:
        client = hub.party("pixel").sdk()
        receipt = client.report(SLUG, [sha256("a")], report(hub.clock() + DAY), observed_at=hub.clock() - 5)
        assert (receipt.seq, receipt.status) == (0, "candidate")
        hub.publish()
        assert list(newest_view(client, hub.clock).entries(0, 9)) == [(0, receipt.entry.encode())]
        assert Entry.decode(receipt.entry.encode()).community == SLUG

    def test_the_same_token_gets_the_same_receipt(self, hub: Hub) -> None:
        pixel = hub.party("pixel")
        client = pixel.sdk()
        token = pixel.author.sign(report(hub.clock() + DAY), [sha256("a")], audience=client.audience(SLUG))
        assert client.send(token) == client.send(token)

    def test_every_event(self, hub: Hub) -> None:
        pixel, forum = hub.party("pixel").sdk(), hub.party("forum").sdk()
        receipt = pixel.report(SLUG, [sha256("a")], report(hub.clock() + DAY))
        forum.sighting(SLUG, [sha256("a")], Sighting(detection_context="upload", count="1"))
        forum.dispute(SLUG, [sha256("a")], DISPUTE)
        forum.outcome(SLUG, [sha256("a")], Outcome(result="no_violation", decision_mode="human"))
        view = forum.view(SLUG, sha256("a"))
        assert view is not None
        assert [statement.kind for statement in view.statements] == [
            "report",
            "sighting",
            "dispute",
            "outcome",
        ]
        assert (view.status, view.disputes) == ("candidate", 1)
        pixel.retract(SLUG, f"statement:{receipt.statement}", "error")
        after = forum.view(SLUG, sha256("a"))
        assert after is None or after.status == "expired"

    def test_nothing_known_is_none_and_other_errors_are_errors(self, hub: Hub) -> None:
        client = hub.party("pixel").sdk()
        assert client.view(SLUG, sha256("a")) is None
        hub.members.suspend("https://pixel.example")
        with pytest.raises(HubError, match="member-suspended"):
            client.view(SLUG, sha256("a"))

    def test_what_is_no_name_does_not_leave_this_process(self, hub: Hub) -> None:
        client = hub.party("pixel").sdk()
        with pytest.raises(Refused) as caught:
            client.directory("../v1/me")
        assert caught.value.field == "community"
        with pytest.raises(Refused) as caught:
            client.retract(SLUG, "jane.doe@mail.example", "error")
        assert (caught.value.field, "jane" in str(caught.value)) == ("statement", False)

    def test_a_refusal_names_the_field(self, hub: Hub) -> None:
        client = hub.party("pixel").sdk()
        with pytest.raises(HubError) as caught:
            client.sighting(SLUG, [sha256("a")], Sighting(detection_context="upload", count="1"))
        assert (caught.value.status, caught.value.code) == (422, "indicator-unknown")
        assert caught.value.request_id
        assert caught.value.help

    def test_a_batch_answers_line_by_line(self, hub: Hub) -> None:
        pixel = hub.party("pixel")
        client = pixel.sdk()
        sound = report(hub.clock() + DAY)
        good = [pixel.author.sign(sound, [sha256(t)], audience=client.audience(SLUG)) for t in "ab"]
        results = list(client.submit([good[0], b"not.a.jws", good[1], good[0]]))
        assert [type(result) for result in results] == [Receipt, Rejection, Receipt, Receipt]
        assert results[0] == results[3]
        rehearsed = list(client.submit([good[0], good[1][:-4] + b"AAAA"], dry_run=True))
        assert isinstance(rehearsed[0], DryRun)
        assert rehearsed[0].would == "duplicate"
        assert isinstance(rehearsed[1], Rejection)

    def test_past_the_cap_the_wait_is_named(self, hub: Hub) -> None:
        pixel = hub.party("pixel", signals_per_hour=1)
        client = pixel.sdk()
        sound = report(hub.clock() + DAY)
        tokens = [pixel.author.sign(sound, [sha256(t)], audience=client.audience(SLUG)) for t in "ab"]
        with pytest.raises(HubError) as caught:
            list(client.submit(tokens))
        assert (caught.value.code, caught.value.retry_after) == ("rate-limited", 3600)

    def test_a_narrow_scope_can_be_asked_for(self, hub: Hub) -> None:
        client = hub.party("pixel").sdk(scope="signals:read")
        assert client.me().scopes == ["signals:read"]
        with pytest.raises(HubError, match="forbidden"):
            client.report(SLUG, [sha256("a")], report(hub.clock() + DAY))

    def test_a_token_that_ran_out_is_replaced(self, hub: Hub) -> None:
        client = hub.party("pixel").sdk()
        client.me()
        hub.clock.advance(299)
        assert client.me().state == "active"

    def test_an_unknown_client_is_refused(self, hub: Hub) -> None:
        stranger = Author("https://stranger.example", SigningKey.generate(), clock=hub.clock)
        with Client(hub.issuer, stranger, "cl_1", http=hub.http) as client, pytest.raises(HubError) as caught:
            client.me()
        assert (caught.value.code, caught.value.field) == ("key-unknown", "header.kid")


class TestFollowing:
    def test_the_feed_page_by_page(self, hub: Hub) -> None:
        client = hub.party("pixel").sdk()
        for text in "abcde":
            client.report(SLUG, [sha256(text)], report(hub.clock() + DAY))
        whole = list(client.feed(SLUG))
        assert [line.record.seq for line in whole] == [0, 1, 2, 3, 4]
        assert [line.raw for line in client.feed(SLUG, after=1, limit=2)] == [line.raw for line in whole[2:]]
        assert client.page(SLUG, after=4).lines == []

    def test_the_log_opens_what_the_feed_shows(self, hub: Hub) -> None:
        client = hub.party("pixel").sdk()
        for text in "abc":
            client.report(SLUG, [sha256(text)], report(hub.clock() + DAY))
        lines = list(client.feed(SLUG))
        hub.publish()
        entries = dict(newest_view(client, hub.clock).entries(lines[0].record.seq, lines[-1].record.seq))
        for line in lines:
            record = line.record
            assert isinstance(record, Live)
            entry = Entry.decode(entries[record.seq])
            assert opens(entry.commitment, bytes.fromhex(record.r), record.jws.encode())

    def test_entries_across_bundles(self, hub: Hub) -> None:
        pixel = hub.party("pixel")
        client = pixel.sdk()
        sound = report(hub.clock() + DAY)
        texts = (f"{n}" for n in range(600))
        list(
            client.submit(
                pixel.author.sign(sound, [sha256(t)], audience=client.audience(SLUG)) for t in texts
            )
        )
        hub.publish()
        view = newest_view(client, hub.clock)
        assert [seq for seq, _ in view.entries(250, 530)] == list(range(250, 531))
        assert len(list(view.entries(0, 900, tiles=True))) == 600

    def test_a_mirror_ends_where_the_hub_is(self, hub: Hub, tmp_path) -> None:
        pixel, forum, model = (hub.party(name).sdk() for name in ("pixel", "forum", "model"))
        sound = report(hub.clock() + 10 * DAY)
        first = pixel.report(SLUG, [sha256("a")], sound)
        forum.report(SLUG, [sha256("a")], sound)
        pixel.report(SLUG, [sha256("b")], sound)
        short = pixel.report(SLUG, [sha256("c")], report(hub.clock() + DAY))
        with mirror_of(hub, tmp_path) as mirror:
            hub.publish()
            assert mirror.follow(model).stored == 4
            assert mirror.tally() == {"human_confirmed": 1, "candidate": 2}
            pixel.retract(SLUG, first.statement, "error")
            forum.dispute(SLUG, [sha256("b")], DISPUTE)
            model.dispute(SLUG, [sha256("b")], DISPUTE)
            hub.publish()
            assert mirror.follow(model).retracted == 1
            assert mirror.tally() == {"candidate": 2, "disputed": 1}
            hub.clock.advance(instant(short.expires_at) - hub.clock() + 1)
            hub.publish()
            assert mirror.follow(model).expired == 1
            for text in "abc":
                view = model.view(SLUG, sha256(text))
                standing = mirror.standing(sha256(text))
                assert (view.status if view else "expired") == standing.status
                assert view is None or view.reporters == standing.reporters
            assert audit(mirror).failures == []
            with mirror_of(hub, tmp_path, "late") as late:
                hub.publish()
                late.follow(model)
                assert late.tally() == mirror.tally()

    def test_a_follower_that_came_during_a_suspension(self, hub: Hub, tmp_path) -> None:
        pixel, model = hub.party("pixel").sdk(), hub.party("model").sdk()
        pixel.report(SLUG, [sha256("a")], report(hub.clock() + DAY))
        hub.members.suspend("https://pixel.example")
        with mirror_of(hub, tmp_path) as mirror:
            hub.publish()
            mirror.follow(model)
            assert mirror.store.counts() == {"withheld:state": 1}
            hub.members.reinstate("https://pixel.example")
            hub.publish()
            mirror.follow(model)
            assert mirror.standing(sha256("a")).status == "candidate"

    def test_pictures_from_one_member_to_another(self, hub: Hub, tmp_path) -> None:
        pixel, model = hub.party("pixel").sdk(), hub.party("model").sdk()
        hashed = hash_file(save(landscape(1), tmp_path / "found.png"))
        media = Media(
            ai_origin="wholly_synthetic",
            origin_evidence="human",
            detection_context="upload",
            pdq_quality=hashed.quality,
        )
        pixel.report(SLUG, hashed.media, report(hub.clock() + DAY, media=media))
        copy = hash_file(save(landscape(1).resize((300, 225)), tmp_path / "copy.jpg", quality=60))
        other = hash_file(save(landscape(2), tmp_path / "other.png"))
        with mirror_of(hub, tmp_path) as mirror:
            hub.publish()
            mirror.follow(model)
            matcher = Matcher(mirror)
            assert len(matcher.find(hashed.media)) == 4
            (hit,) = matcher.find(copy.media)
            assert (hit.indicator.type, hit.status, 0 < hit.distance <= 31) == ("pdq", "candidate", True)
            assert matcher.find(other.media) == []

    def test_what_expired_before_is_a_tombstone(self, hub: Hub) -> None:
        client = hub.party("pixel").sdk()
        client.report(SLUG, [sha256("a")], report(hub.clock() + DAY))
        hub.clock.advance(DAY)
        assert [line.record for line in client.feed(SLUG)] == [Gone(seq=0, gone="expired")]


class Nonsense:
    """A hub that gives tokens, and else answers what a test wants."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.web: Web | None = None

    def __call__(self, asked: Asked) -> Answer:
        assert self.web is not None
        if asked.path.startswith("/.well-known"):
            known = {"issuer": self.web.url, "token_endpoint": self.web.url + "/oauth/token"}
            return Answer(200, json.dumps(known).encode())
        if asked.path == "/oauth/token":
            return Answer(200, b'{"access_token":"t","token_type":"Bearer","expires_in":300}')
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def nonsense(request: pytest.FixtureRequest):
    with serving(hub := Nonsense(*request.param)) as web:
        hub.web = web
        with Client(web.url, Author("https://pixel.example", SigningKey.generate()), "cl_1") as client:
            yield client


@pytest.mark.parametrize("nonsense", [[Answer(200, b'{"unexpected":1}')]], indirect=True)
def test_answers_of_another_shape_are_the_hubs_fault(nonsense: Client) -> None:
    for ask in (nonsense.me, nonsense.policy, nonsense.communities, lambda: nonsense.directory(SLUG)):
        with pytest.raises(HubError, match="answer-invalid"):
            ask()
    with pytest.raises(HubError, match="answer-invalid"):
        list(nonsense.feed(SLUG))


@pytest.mark.parametrize("nonsense", [[Answer(200, b'{"seq":3,"gone":"erased"}\n')]], indirect=True)
def test_a_feed_that_repeats_itself_ends(nonsense: Client) -> None:
    with pytest.raises(HubError, match="does not increase"):
        list(nonsense.feed(SLUG))


@pytest.mark.parametrize(
    "nonsense",
    [[Answer(200, b'{"seq":3,"gone":"erased"}\n', cut=9), Answer(200, b'{"seq":3,"gone":"erased"}\n')]],
    indirect=True,
)
def test_a_page_that_breaks_off_is_fetched_again(nonsense: Client) -> None:
    assert nonsense.page(SLUG) == ([b'{"seq":3,"gone":"erased"}'], None)


LINE = b'{"seq":3,"gone":"erased"}\n'
NEXT = {"Link": '<https://hub.example/v1/communities/child-safety/feed?after=8191&limit=2>; rel="next"'}
FRAMES = zstd.compress(LINE) + zstd.compress(LINE.replace(b"3", b"4"))


@pytest.mark.parametrize(
    "nonsense", [[Answer(200, FRAMES, {**NEXT, "Content-Encoding": "zstd"})]], indirect=True
)
def test_a_page_says_how_far_it_goes(nonsense: Client) -> None:
    lines = [b'{"seq":3,"gone":"erased"}', b'{"seq":4,"gone":"erased"}']
    assert nonsense.page(SLUG, limit=2) == (lines, 8191)


@pytest.mark.parametrize("nonsense", [[Answer(200, LINE * 3)]], indirect=True)
def test_more_records_than_asked_for_are_refused(nonsense: Client) -> None:
    with pytest.raises(HubError, match="more records"):
        nonsense.page(SLUG, limit=2)


@pytest.mark.parametrize(
    "link",
    ['<https://hub.example/feed?after=x>; rel="next"', '<https://hub.example/feed>; rel="next"', "nonsense"],
)
def test_a_link_without_a_number_covers_nothing(link: str) -> None:
    with serving(lambda _: Answer(200, LINE, {"Link": link})) as web, Transport(web.url) as transport:
        assert transport.stream(Call("GET", "/")).next_page("after") is None


@pytest.mark.parametrize("nonsense", [[Answer(200)]], indirect=True)
def test_a_hub_that_lets_nobody_wait_is_not_asked_again_at_once(nonsense: Client) -> None:
    begun = time.monotonic()
    assert nonsense.await_record(SLUG, None, 0.4) is False
    assert time.monotonic() - begun >= 0.4


@pytest.mark.parametrize("nonsense", [[Answer(200, b'{"seq":3,"gone":"erased"}\n', cut=9)]], indirect=True)
def test_a_page_that_always_breaks_off_is_an_error(nonsense: Client) -> None:
    with pytest.raises(HubUnreachable):
        nonsense.page(SLUG)
