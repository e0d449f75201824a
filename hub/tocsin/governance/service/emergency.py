"""Emergency suspension: two of the three duty officers sign, it holds at once, for as long as the policy says.

Nobody suspends alone: beginning only opens the paper to sign. The second signature records the decision and opens the
ballot by which the whole board confirms it or not, before it would end by itself.
"""

from tocsin.errors import Refused
from tocsin.governance.rules.motions import check_subject
from tocsin.governance.rules.people import Seated, board_seat_of
from tocsin.governance.service import course
from tocsin.governance.service.context import Chamber
from tocsin.governance.service.proceedings import proceedings
from tocsin.governance.service.views import BlastRadius
from tocsin.governance.store import motions as store
from tocsin_schemas.board import MemberStanding
from tocsin_schemas.policy import Policy
from tocsin_schemas.proposals import read_params


def preview(chamber: Chamber, issuer: str) -> BlastRadius:
    """What suspending a member now would stop.

    Raises:
        Refused: `not-found` when there is no such member.
    """
    with chamber.database.snapshot() as uow:
        state = chamber.chain.state(uow)
        standing = state.members.get(issuer)
        if standing is None:
            raise Refused("not-found", "issuer", "no such member")
        reach = {} if chamber.reach is None else dict(chamber.reach(uow, issuer))
        now = uow.now
    clients = next(
        (view.clients for view in chamber.chain.members.list_members() if view.org.issuer == issuer), ()
    )
    return BlastRadius(
        issuer=issuer,
        state=standing.state,
        seats=tuple(seat.seat for seat in state.roster.seats if seat.issuer == issuer),
        live_keys=sum(
            key.revoked_at is None and key.not_before <= now < key.not_after for key in standing.keys.values()
        ),
        clients=sum(not client.revoked for client in clients),
        communities=tuple(sorted(standing.communities)),
        reach=reach,
    )


def repeatable(standing: MemberStanding, policy: Policy, now: int) -> bool:
    """Whether no emergency of this member that no ballot confirmed has ended so recently that it cannot be repeated."""
    return "no_recent_emergency" in standing.facts(now, policy)


def begin(chamber: Chamber, seated: Seated, issuer: str) -> str:
    """Open the paper that two duty officers sign to suspend a member, or find the one to sign; the id of the motion.

    Raises:
        Refused: `role-missing` to who is not on duty; `ballot-recused` to who may not vote on it;
            `transition-forbidden` too soon after another one; as the chain, when the member cannot be suspended as it
            stands.
    """
    check_subject(issuer)
    with proceedings(chamber) as uow:
        state = chamber.chain.lock(uow)
        if not board_seat_of(state, seated).duty:
            raise Refused("role-missing", "seat", "only a duty officer may")
        for other in store.about(uow, issuer, "member.emergency_suspend"):
            if other.until > uow.now and course.signable(chamber, uow, state, other):
                return other.id
        standing = state.members.get(issuer)
        if standing is not None and not repeatable(standing, state.policy, uow.now):
            reason = (
                "an emergency that no ballot confirmed ended too recently: move to suspend it with notice"
            )
            raise Refused("transition-forbidden", "issuer", reason)
        plain = read_params("member.emergency_suspend", {})
        row = course.begin(uow, "member.emergency_suspend", issuer, plain, proposer=seated.seat)
        decision = course.frame(uow, state, row, uow.now)
        course.check_possible(state, decision)
        if any(recusal.seat == seated.seat for recusal in decision.recused):
            raise Refused("ballot-recused", "seat", "the seat has no vote on this member")
        course.open_ballot(chamber, uow, state, row)
        return row.id
