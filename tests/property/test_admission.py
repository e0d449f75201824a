"""Laws of admission: true of any signal, whatever the hub knows and whenever it comes."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.signals.material import (
    DISPUTE,
    OUTCOME,
    RETRACTION,
    SIGHTING,
    account_report,
    artefact_report,
    evidence,
    md5,
    pdq,
    report,
    sha256,
)
from tocsin.signals.rules import Admit, Decision, Duplicate, Known, Prior, Target, admit
from tocsin_schemas import signals
from tocsin_schemas.fold import Statement
from tocsin_schemas.indicators import Indicator
from tocsin_schemas.policy import DAY, Policy, lifetime
from tocsin_schemas.problems import REGISTRY, Refused
from tocsin_schemas.signals import Report, Signal

NOW = 1_795_305_600
DIGEST = b"\xdd" * 32
GROUPS = ("cg_own", "cg_1", "cg_2", "cg_3")
WINDOW = st.integers(-DAY, DAY) | st.sampled_from([-301, -300, -1, 0, 1, 60, 61])
LIFE = st.integers(-DAY, 6 * 365 * DAY) | st.sampled_from([-1, 0, 1, 180 * DAY, 180 * DAY + 1])
TOKEN = Indicator("email", b"\x01" + bytes(4) + b"\x07" * 32)
WEIGHTS = Indicator("weights-sha256", b"\x05" * 32)

policies = st.builds(
    Policy,
    iat_past=st.integers(0, 600),
    iat_future=st.integers(0, 120),
    toe_past=st.integers(0, 60 * DAY),
    corroborating_groups=st.integers(2, 3),
    media_candidate=st.integers(1, 200 * DAY),
    agreements=st.frozensets(st.sampled_from(["iwf", "stopncii"])),
) | st.just(Policy())

statements = st.builds(
    Statement,
    id=st.integers(0, 30).map(lambda n: bytes([n]) * 32),
    kind=st.sampled_from(["report", "report", "sighting", "dispute", "outcome"]),
    author=st.sampled_from([f"https://{name}.example" for name in ("pixel", "frame", "vendor")]),
    group=st.sampled_from(GROUPS),
    iat=st.integers(NOW - 60 * DAY, NOW),
    expires_at=st.integers(NOW + 1, NOW + 60 * DAY),
    basis=st.sampled_from([None, "human_confirmed", "human_reviewed", "classifier", "user_report"]),
    counts=st.booleans(),
)


@st.composite
def said(draw: Any) -> Signal:
    """A signal that fits the schema, fresh or not."""
    iat = NOW + draw(WINDOW)
    until = max(0, NOW + draw(LIFE))
    given_evidence = draw(st.none() | st.lists(st.integers(0, 3).map(evidence), min_size=1, max_size=3))
    restriction = draw(st.sampled_from([None, None, "iwf", "ncmec_2258c"]))
    event, about = draw(
        st.sampled_from(
            [
                (report(until, evidence=given_evidence, source_restriction=restriction), [md5(1), sha256(1)]),
                (report(until, "classifier", quality=60), [pdq(128)]),
                (report(until, quality=10), [pdq(128)]),
                (report(until, quality=90), [pdq(3)]),
                (account_report(until), [TOKEN]),
                (account_report(until, minor=True), [TOKEN]),
                (artefact_report(until), [WEIGHTS]),
                (SIGHTING, [md5(1)]),
                (DISPUTE, [md5(1)]),
                (OUTCOME, [md5(1)]),
                (RETRACTION, b"\x09" * 32),
            ]
        )
    )
    toe = draw(st.none() | st.integers(-61 * DAY, 2).map(lambda off: iat + off))
    payload = signals.compose(
        event,
        about,
        iss="https://pixel.example",
        aud="https://hub.example/communities/child-safety",
        iat=iat,
        jti=bytes(16),
        toe=toe,
    )
    return signals.parse(payload)


@st.composite
def knowledge(draw: Any, *, prior: bool | None = None) -> Known:
    """What a hub may know."""
    about = tuple(draw(st.lists(statements, max_size=5, unique_by=lambda s: s.id)))
    before = st.builds(Prior, st.integers(0, 99), st.sampled_from([DIGEST, bytes(32)]), st.booleans())
    return Known(
        group=draw(st.sampled_from(GROUPS)),
        may_write=draw(st.sampled_from([True, True, True, False, None])),
        prior=draw({True: before, False: st.none(), None: st.none() | before}[prior]),
        statements=about,
        delivered=draw(st.booleans()) if about else False,
        own_evidence=draw(st.frozensets(st.integers(0, 3).map(evidence))),
        own_toe=draw(st.none() | st.integers(NOW - DAY, NOW)) if about else None,
        target=draw(st.none() | st.builds(Target, st.just(b"\x09" * 32), st.integers(NOW + 1, NOW + DAY))),
    )


def parts(decision: Decision) -> tuple[Any, ...]:
    """A decision as something to compare."""
    if isinstance(decision, Refused):
        return (decision.code, decision.field, decision.reason, decision.retry_after)
    return (decision,)


def changed(known: Known, **changes: Any) -> Known:
    names = ("group", "may_write", "prior", "statements", "delivered", "own_evidence", "own_toe", "target")
    return Known(**{**{name: getattr(known, name) for name in names}, **changes})


@given(said(), policies, knowledge(), st.integers(NOW - 9, NOW + 9))
def test_the_same_signal_and_knowledge_give_the_same_decision(
    signal: Signal, policy: Policy, known: Known, now: int
) -> None:
    first = admit(signal, DIGEST, policy, known, now)
    assert parts(admit(signal, DIGEST, policy, known, now)) == parts(first)
    assert not isinstance(first, Refused) or first.code in REGISTRY


@given(said(), policies, knowledge(), st.randoms(use_true_random=False))
def test_the_order_in_which_the_hub_remembers_does_not_matter(
    signal: Signal, policy: Policy, known: Known, random: Any
) -> None:
    """Nor does the order of a set: a refusal is never for one of two reasons by chance."""
    shuffled = list(known.statements)
    random.shuffle(shuffled)
    listed = sorted(known.own_evidence, reverse=True)
    other = changed(known, statements=tuple(shuffled), own_evidence=frozenset(listed))
    assert parts(admit(signal, DIGEST, policy, known, NOW)) == parts(
        admit(signal, DIGEST, policy, other, NOW)
    )


@given(said(), policies, knowledge(prior=True), st.integers(0, 2 * NOW))
def test_what_the_hub_has_decides_alone_at_any_time(
    signal: Signal, policy: Policy, known: Known, now: int
) -> None:
    decision = admit(signal, DIGEST, policy, known, now)
    prior = known.prior
    assert prior is not None
    if prior.digest != DIGEST:
        assert parts(decision)[0] == "jti-reused"
    elif prior.gone:
        assert parts(decision)[0] == "statement-gone"
    else:
        assert decision == Duplicate(prior.seq)


@given(said(), policies, knowledge(prior=False))
def test_only_what_is_fresh_and_allowed_is_admitted(signal: Signal, policy: Policy, known: Known) -> None:
    decision = admit(signal, DIGEST, policy, known, NOW)
    assert not isinstance(decision, Duplicate)
    if isinstance(decision, Admit):
        assert known.may_write is True
        assert NOW - policy.iat_past <= signal.iat <= NOW + policy.iat_future
        assert signal.toe <= signal.iat


@given(said(), policies, knowledge(prior=False))
def test_a_life_ends_after_now_and_by_the_authors_date_and_the_policys(
    signal: Signal, policy: Policy, known: Known
) -> None:
    decision = admit(signal, DIGEST, policy, known, NOW)
    if not isinstance(decision, Admit):
        return
    assert decision.expires_at > NOW
    if signal.kind == "retraction":
        assert known.target is not None
        assert decision.expires_at == known.target.expires_at
        return
    kind = "sighting" if decision.kind == "sighting" else signal.kind
    cap = NOW + lifetime(policy, kind, signal.indicators[0].family, decision.status)
    until = signal.event.valid_until if isinstance(signal.event, Report) else cap
    assert decision.expires_at == min(until, cap)


@given(said(), policies, knowledge(prior=False))
def test_the_log_calls_a_signal_what_it_is_or_a_delivered_report_a_sighting(
    signal: Signal, policy: Policy, known: Known
) -> None:
    decision = admit(signal, DIGEST, policy, known, NOW)
    if isinstance(decision, Admit):
        told = signal.kind == "report" and known.delivered
        assert decision.kind == ("sighting" if told else signal.kind)


@given(said(), policies, knowledge(prior=False))
def test_a_report_that_was_delivered_never_lifts(signal: Signal, policy: Policy, known: Known) -> None:
    """Whoever repeats what the hub told it leaves the status where it was."""
    if signal.kind != "report":
        return
    told = admit(signal, DIGEST, policy, changed(known, delivered=True), NOW)
    quiet = admit(signal, DIGEST, policy, changed(known, delivered=False), NOW)
    assert isinstance(told, Admit) == isinstance(quiet, Admit)
    if isinstance(told, Admit):
        silent = [s for s in known.statements if s.kind != "dispute"]
        lifting = {s.group for s in silent if s.kind == "report" and s.counts}
        if len(lifting) < policy.corroborating_groups:
            assert told.status not in {"corroborated", "human_confirmed"}


@given(said(), policies, knowledge(prior=False))
def test_a_quarantined_report_counts_for_nothing(signal: Signal, policy: Policy, known: Known) -> None:
    decision = admit(signal, DIGEST, policy, known, NOW)
    if isinstance(decision, Admit) and decision.quarantine is not None:
        assert signal.kind == "report"
        alone = admit(signal, DIGEST, policy, changed(known, statements=(), own_toe=None), NOW)
        assert isinstance(alone, Admit)
        # By itself it makes no candidate; logged as a sighting it is no report at all.
        assert alone.status == ("expired" if alone.kind == "sighting" else "quarantined")


@given(said(), knowledge(prior=False))
@settings(max_examples=200)
def test_a_renewal_without_anything_new_is_never_admitted(signal: Signal, known: Known) -> None:
    if signal.kind != "report" or known.own_toe is None:
        return
    assert isinstance(signal.event, Report)
    new = frozenset(signal.event.evidence or ()) - known.own_evidence
    decision = admit(signal, DIGEST, Policy(), known, NOW)
    if not new or signal.toe <= known.own_toe:
        assert isinstance(decision, Refused)
    elif isinstance(decision, Refused):
        assert decision.code != "renewal-without-evidence"
