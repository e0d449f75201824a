"""What a seat without a passkey does beside voting: it signs the act with its offline key, and needs no login."""

from tocsin.errors import Refused
from tocsin.governance.rules import tokens
from tocsin.governance.rules.people import Seated
from tocsin.governance.service import motions
from tocsin.governance.service.context import Chamber
from tocsin.governance.service.proceedings import proceedings
from tocsin.governance.service.views import MotionView
from tocsin.governance.store import motions as store


def perform(chamber: Chamber, token: bytes) -> MotionView:
    """Do what a seat has signed: propose, endorse, declare; the motion as it is then.

    Raises:
        Refused: as `tokens.open_seat_act`; `jti-reused` a second time; as the act itself in `motions`.
    """
    with proceedings(chamber) as uow:
        state = chamber.chain.state(uow)
        seat, act = tokens.open_seat_act(state, token, chamber.issuer, uow.now)
        over = act.iat + tokens.ACT_PAST
        if not store.use_act(uow, seat.seat, bytes.fromhex(act.jti), over):
            raise Refused("jti-reused", "jti", "the act was done before")
    seated = Seated(seat.seat, seat.handle or "")
    if act.act == "propose" and act.type is not None:
        made = motions.propose(chamber, seated, act.type, act.subject or "", act.params or {})
        return motions.motion(chamber, made, seated)
    if act.act == "propose-admission":
        made = motions.propose_admission(chamber, seated, act.application or "")
        return motions.motion(chamber, made, seated)
    if act.act == "endorse":
        return motions.endorse(chamber, seated, act.motion or "")
    return motions.declare(chamber, seated, act.motion or "", conflict=bool(act.conflict))
