"""The forms by which motions are proposed: what each kind of decision asks for, and how the answers become its params.

Whatever can be chosen is chosen from what the chain knows, so that a form cannot name a member that is not there.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple, get_args

from tocsin.governance.pages.fields import Entry, Option, day, kept, moment
from tocsin.web.console import Form
from tocsin_schemas.board import BoardState, MemberStanding, keys_live
from tocsin_schemas.membership import FINAL, TRANSITIONS
from tocsin_schemas.vocabulary import DecisionType, SourceRestriction


class Proposal(NamedTuple):
    """What a form says: whom or what the motion is about, the params, and who complained."""

    subject: str
    params: dict[str, Any]
    complainant: str | None = None


class MotionForm(NamedTuple):
    """A kind of decision's form: its fields, given what the chain says, the reading of it, and the field that says whom
    or what the motion is about.
    """

    entries: Callable[[DecisionType, BoardState], tuple[Entry, ...]]
    read: Callable[[Form], Proposal]
    subject: str = "member"


def entries(
    kind: DecisionType, state: BoardState, sent: Mapping[str, str] | None = None
) -> tuple[Entry, ...]:
    """The fields of a kind of decision, with what was already chosen."""
    return tuple(entry if sent is None else kept(entry, sent) for entry in FORMS[kind].entries(kind, state))


def read(kind: DecisionType, sent: Form) -> Proposal:
    """What was proposed.

    Raises:
        Refused: `request-invalid` for what is missing, `claim-invalid` for what is no date; not where `fields.misfits`
            found nothing.
    """
    return FORMS[kind].read(sent)


# --- what can be chosen


def _issuers(members: Iterable[MemberStanding]) -> tuple[Option, ...]:
    return tuple(
        Option(member.issuer, member.issuer) for member in sorted(members, key=lambda one: one.issuer)
    )


def _movable(kind: DecisionType, state: BoardState) -> tuple[Option, ...]:
    """The members in whose state the decision is possible."""
    act = kind.removeprefix("member.")
    moves = [step for step in TRANSITIONS if step.act == act and step.by == "board"]
    sources = {step.source for step in moves if step.source not in FINAL}
    return _issuers(member for member in state.members.values() if member.state in sources)


def _member(kind: DecisionType, state: BoardState) -> Entry:
    return Entry("member", "choice", "Member", "Those for whom this is possible now", _movable(kind, state))


def _notice(state: BoardState) -> tuple[Entry, ...]:
    present = _issuers(member for member in state.members.values() if member.state not in FINAL)
    hint = (
        "The policy's days of notice before the ballot opens. Empty: this motion is the notice, as of now; the member"
        " sees it at its console, with all its clocks"
    )
    return (
        Entry("noticed_at", "instant", "When it was told of the complaint (UTC)", hint, required=False),
        Entry(
            "complainant",
            "choice",
            "Who complained, if a member did",
            "Its seats, and those of its owner, do not vote",
            present,
            required=False,
        ),
    )


# --- the forms


def _plain(kind: DecisionType, state: BoardState) -> tuple[Entry, ...]:
    return (_member(kind, state),)


def _read_plain(sent: Form) -> Proposal:
    return Proposal(sent["member"], {})


def _suspend(kind: DecisionType, state: BoardState) -> tuple[Entry, ...]:
    until = Entry(
        "until", "date", "Suspended until", "The policy says how long at most, from the opening of the ballot"
    )
    return (_member(kind, state), until, *_notice(state))


def _read_suspend(sent: Form) -> Proposal:
    params = {"until": day(sent["until"], "until"), **_noticed(sent)}
    return Proposal(sent["member"], params, sent.get("complainant") or None)


def _sanction(kind: DecisionType, state: BoardState) -> tuple[Entry, ...]:
    return (_member(kind, state), *_notice(state))


def _read_sanction(sent: Form) -> Proposal:
    return Proposal(sent["member"], _noticed(sent), sent.get("complainant") or None)


def _noticed(sent: Form) -> dict[str, int]:
    text = sent.get("noticed_at", "")
    return {"noticed_at": moment(text, "noticed_at")} if text else {}


def _revoke(_kind: DecisionType, state: BoardState) -> tuple[Entry, ...]:
    found = tuple(
        Option(f"{issuer} {kid}", kid, issuer)
        for issuer, member in sorted(state.members.items())
        for kid, key in sorted(member.keys.items())
        if key.revoked_at is None
    )
    return (Entry("key", "choice", "Key", "By its thumbprint, below its member", found),)


def _read_revoke(sent: Form) -> Proposal:
    issuer, _, kid = sent["key"].partition(" ")
    return Proposal(issuer, {"kid": kid})


def _enrol(_kind: DecisionType, state: BoardState) -> tuple[Entry, ...]:
    live = _issuers(member for member in state.members.values() if keys_live(member.state))
    return (
        Entry("member", "choice", "Member", "", live),
        Entry(
            "keys",
            "lines",
            "Thumbprints of its new keys",
            "RFC 7638, 43 characters, one a line, eight at most",
        ),
    )


def _read_enrol(sent: Form) -> Proposal:
    return Proposal(sent["member"], {"keys": sent["keys"].split()})


def _open(_kind: DecisionType, _state: BoardState) -> tuple[Entry, ...]:
    return (Entry("community", "slug", "Its name", "a to z, 0 to 9 and -; it can never be changed"),)


def _read_open(sent: Form) -> Proposal:
    return Proposal(sent["community"], {})


def _grant(_kind: DecisionType, state: BoardState) -> tuple[Entry, ...]:
    present = _issuers(member for member in state.members.values() if member.state not in FINAL)
    slugs = tuple(Option(slug, slug) for slug in sorted(state.communities))
    return (
        Entry("member", "choice", "Member", "", present),
        Entry("community", "choice", "Community", "", slugs),
        Entry("read", "check", "It may read there", required=False),
        Entry("write", "check", "It may write there", "Neither: it leaves the community", required=False),
    )


def _read_grant(sent: Form) -> Proposal:
    params = {"community": sent["community"], "read": sent.ticked("read"), "write": sent.ticked("write")}
    return Proposal(sent["member"], params)


def _peering(_kind: DecisionType, _state: BoardState) -> tuple[Entry, ...]:
    return (
        Entry("peer", "origin", "The other hub", "Its https origin"),
        Entry("terms", "digest", "SHA-256 of the terms that both sides hold"),
    )


def _read_peering(sent: Form) -> Proposal:
    return Proposal(sent["peer"], {"terms": sent["terms"]})


def _agreement(_kind: DecisionType, _state: BoardState) -> tuple[Entry, ...]:
    names = {
        "ncmec_2258c": "NCMEC (18 U.S.C. 2258C)",
        "iwf": "Internet Watch Foundation",
        "stopncii": "StopNCII",
    }
    lists = tuple(Option(name, names[name]) for name in get_args(SourceRestriction))
    return (
        Entry("list", "choice", "List", "", lists),
        Entry("terms", "digest", "SHA-256 of the agreement with its owner"),
    )


def _read_agreement(sent: Form) -> Proposal:
    return Proposal("agreement", {"list": sent["list"], "terms": sent["terms"]})


_PLAIN: Final = MotionForm(_plain, _read_plain)
FORMS: Final[Mapping[DecisionType, MotionForm]] = {
    "member.object": _PLAIN,
    "member.activate": _PLAIN,
    "member.extend": _PLAIN,
    "member.refuse": _PLAIN,
    "member.sanction": MotionForm(_sanction, _read_sanction),
    "member.suspend": MotionForm(_suspend, _read_suspend),
    "member.reinstate": _PLAIN,
    "member.expel": _PLAIN,
    "key.revoke": MotionForm(_revoke, _read_revoke, "key"),
    "key.enrol": MotionForm(_enrol, _read_enrol),
    "community.open": MotionForm(_open, _read_open, "community"),
    "community.grant": MotionForm(_grant, _read_grant),
    "peering.set": MotionForm(_peering, _read_peering, "peer"),
    "agreement.record": MotionForm(_agreement, _read_agreement, "list"),
}
"""The kinds of decision that have a form of this make. Admissions, emergencies, appeals, the roster and the policy have
pages of their own."""
