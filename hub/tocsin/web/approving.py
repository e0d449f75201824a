"""What people approve: a form of the console that does something only with a fresh answer of a passkey to exactly that.

Rules: which actions these are, the table of rights says (`Desk.approves`), and no other dependency takes their forms.
A form without an answer does nothing: a page repeats in plain words what would be done, and carries what was sent to
the passkey's prompt. The challenge is bound to the person, the action, the path, every field and every word of that
page, so the answer is good for what was read there, once, within five minutes. A ballot is not approved this way: it is
a signature by itself, over the decision and the choice.
"""

import hashlib
import json
from collections.abc import Callable
from typing import Annotated, Final, NamedTuple

from fastapi import Depends, Request

from tocsin.errors import Refused
from tocsin.web.console import Form, Sent, admitted, desk
from tocsin.web.people import Action, Approval, ApprovalNeeded, Person

ANSWER: Final = ("credential", "client_data", "authenticator_data", "signature")
"""The fields that passkey.js fills (`parts.signature`)."""
_CONTEXT: Final = b"tocsin/console-approval/v1\n"


class Approver(NamedTuple):
    """Somebody who may do `action`, and what they sent; who acts is what `approve` gives."""

    request: Request
    person: Person
    action: Action
    sent: Form

    def approve(self, what: Approval, *names: str) -> Person:
        """The person, once they have approved `what`; `names` are the fields that the form can have.

        What was sent comes back in the page that asks: call it only when each of these fields is known to fit.

        Raises:
            ApprovalNeeded: without a passkey's answer, or with one that is not taken (`challenge-invalid`,
                `credential-unknown`, `assertion-invalid`, `assertion-unverified-user`): it is asked for anew.
            Refused: `credential-cloned`; `request-invalid` for a field that the form does not have.
        """
        fields = {name: value for name, value in self.sent.items() if name not in ANSWER}
        if not fields.keys() <= set(names):
            raise Refused("request-invalid", "body", "a field that this form does not have")
        subject = _subject(self.request.url.path, fields, what)
        at = desk(self.request)
        if not all(self.sent.get(name) for name in ANSWER):
            raise ApprovalNeeded(what, fields, *at.approval(self.person, self.action, subject))
        try:
            at.approve(self.person, self.action, subject, self.sent)
        except Refused as error:
            if error.code == "credential-cloned":
                raise
            raise ApprovalNeeded(
                what, fields, *at.approval(self.person, self.action, subject), again=error
            ) from None
        return self.person


def approver(action: Action) -> Callable[..., Approver]:
    """A dependency that gives whoever sent a form that does `action`, with what they sent.

    Raises (when used):
        Refused: as `tocsin.web.console.admitted` and `tocsin.web.console.form`.
    """

    def allowed(request: Request) -> Person:
        return admitted(request, action)

    def found(request: Request, who: Annotated[Person, Depends(allowed)], sent: Sent) -> Approver:
        return Approver(request, who, action, sent)

    allowed.action = action  # type: ignore[attr-defined]  # the tests of the matrix find every guarded route by it
    return found


def _subject(path: str, fields: dict[str, str], what: Approval) -> str:
    """What is approved, to the letter: the SHA-256 of it."""
    said = json.dumps([path, sorted(fields.items()), what])
    return hashlib.sha256(_CONTEXT + said.encode()).hexdigest()
