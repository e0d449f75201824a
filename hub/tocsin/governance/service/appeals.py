"""Appeals: whom a decision took something from may have it heard by independents none of whom voted on it.

An appeal is filed in the time that the policy gives, by an administrator of the member, by an act that it signed (its
keys still prove who it is when they open nothing any more), or by an applicant with the secret of its application. It
goes to the panel without endorsers.
"""

import hashlib
import hmac

from tocsin import outbox
from tocsin.db import UnitOfWork
from tocsin.errors import Refused
from tocsin.governance.rules import tokens
from tocsin.governance.rules.people import Caller
from tocsin.governance.service import course, dossier
from tocsin.governance.service.context import Chamber
from tocsin.governance.service.proceedings import proceedings
from tocsin.governance.store import motions as store
from tocsin.ledger import service as ledger
from tocsin.outbox import Happening
from tocsin_schemas.decisions import Appeal


def appeal(chamber: Chamber, of: int, caller: Caller) -> str:
    """Appeal decision `of` as an administrator of the member it is about; the id of the motion.

    Raises:
        Refused: `role-missing` to anybody else; `not-found` for a decision that is not about this member; `conflict`
            while it is heard; `appeal-impossible`, `appeal-repeated` or `appeal-late`.
    """
    if "org_admin" not in caller.roles or caller.org_issuer is None:
        raise Refused("role-missing", "role", "an administrator of the member speaks for it")
    with proceedings(chamber) as uow:
        return _file(chamber, uow, of, caller.org_issuer)


def appeal_signed(chamber: Chamber, token: bytes) -> str:
    """Appeal by a JWS of type `tocsin-appeal+jwt` over {iss, aud, iat, jti, of}; the id of the motion.

    Raises:
        Refused: as `tokens.open_member_word` and `appeal`.
    """
    with proceedings(chamber) as uow:
        word = tokens.open_member_word(
            chamber.chain.state(uow), token, tokens.APPEAL_TYP, chamber.issuer, uow.now
        )
        return _file(chamber, uow, word.of or 0, word.iss)


def appeal_rejection(chamber: Chamber, application_id: str, secret: str) -> str:
    """Appeal the rejection of one's application; the id of the motion.

    Raises:
        Refused: `not-found` without the secret, or before a rejection; as `appeal`.
    """
    with proceedings(chamber, application_id) as uow:
        row = dossier.get(uow, application_id)
        moved = store.of_application(uow, row.id)
        opened = hmac.compare_digest(row.secret, hashlib.sha256(secret.encode()).digest())
        if not opened or row.state != "rejected" or moved is None or moved.decision_seq is None:
            raise Refused("not-found", "application", "no rejected application of yours")
        return _file(chamber, uow, moved.decision_seq, row.issuer)


def _file(chamber: Chamber, uow: UnitOfWork, of: int, issuer: str) -> str:
    state = chamber.chain.lock(uow)
    outcome = state.decisions.get(of)
    if outcome is None or outcome.subject != issuer:
        raise Refused("not-found", "of", "no decision about this member")
    subject = f"decision:{of}"
    if store.about(uow, subject, "appeal.uphold"):
        raise Refused("conflict", "of", "the appeal is being heard")
    params = Appeal(of=of, filed_at=chamber.chain.time(uow, state))
    row = course.begin(uow, "appeal.uphold", subject, params, proposer=None)
    course.check_possible(state, course.frame(uow, state, row, uow.now))
    course.discuss(uow, state, row)
    about = {org.issuer: org.id for org in chamber.chain.members.orgs(uow).values()}
    told = Happening(
        "appeal.opened", None, None, None, cursor=ledger.size(uow) - 1, about_id=about.get(issuer)
    )
    outbox.publish(uow, [told])
    return row.id
