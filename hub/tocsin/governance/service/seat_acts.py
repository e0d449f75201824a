"""What a seat without a passkey does beside voting: it signs the act with its offline key, and needs no login."""

from tocsin.errors import Refused
from tocsin.governance.rules import tokens
from tocsin.governance.rules.people import Seated
from tocsin.governance.rules.tokens import SeatAct
from tocsin.governance.service import emergency, motions
from tocsin.governance.service.context import Chamber
from tocsin.governance.service.proceedings import proceedings
from tocsin.governance.service.views import MotionView
from tocsin.governance.store import motions as store


def perform(chamber: Chamber, token: bytes) -> MotionView:
    """Do what a seat has signed; the motion as it is then.

    Raises:
        Refused: as `tokens.open_seat_act`; `jti-reused` a second time; as the act itself in `motions` or `emergency`.
    """
    with proceedings(chamber) as uow:
        state = chamber.chain.state(uow)
        seat, act = tokens.open_seat_act(state, token, chamber.issuer, uow.now)
        over = act.iat + tokens.ACT_PAST
        if not store.use_act(uow, seat.seat, bytes.fromhex(act.jti), over):
            raise Refused("jti-reused", "jti", "the act was done before")
    return _done(chamber, Seated(seat.seat, seat.handle or ""), act)


def _done(chamber: Chamber, seated: Seated, act: SeatAct) -> MotionView:
    if act.act == "propose" and act.type is not None:
        made = motions.propose(chamber, seated, act.type, act.subject or "", act.params or {})
        return motions.motion(chamber, made, seated)
    if act.act == "propose-admission":
        made = motions.propose_admission(chamber, seated, act.application or "")
        return motions.motion(chamber, made, seated)
    if act.act == "begin-emergency":
        made = emergency.begin(chamber, seated, act.subject or "")
        return motions.motion(chamber, made, seated)
    motion = act.motion or ""
    if act.act == "endorse":
        return motions.endorse(chamber, seated, motion)
    if act.act == "withdraw":
        return motions.withdraw(chamber, seated, motion)
    if act.act == "remark" and act.stance is not None and act.topic is not None:
        return motions.remark(chamber, seated, motion, act.stance, act.topic, act.document)
    return motions.declare(chamber, seated, motion, conflict=bool(act.conflict))
