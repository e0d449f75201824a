"""What the pages of accounts share: the service behind them, and QR codes."""

from ipaddress import ip_address
from typing import Any

import segno
from fastapi import Request

from tocsin.accounts.service import Accounts, enrolling
from tocsin.accounts.service.enrolling import new_seed, provisioning_uri
from tocsin.web.approving import Approver
from tocsin.web.html import counted
from tocsin.web.people import Approval


def accounts(request: Request) -> Accounts:
    """The accounts of this hub."""
    found: Accounts = request.app.state.accounts
    return found


def invitation(at: Accounts, by: Approver, handle: str, role: str, issuer: str | None, back: str) -> Approval:
    """What somebody approves who opens a link, with a role or, if that is empty, without; it all fits.

    Raises:
        Refused: as `enrolling.check_invite`.
    """
    roles = (role,) if role else ()
    passkeys = enrolling.check_invite(at.context, handle, roles, issuer, by.person)
    said = f"Whoever opens the link first makes a passkey, and is {handle} here."
    given = [("Role", role_words(role)), ("For", issuer or "the hub")] if role else []
    known = "nobody yet" if passkeys is None else f"here already, with {counted(passkeys, 'passkey')}"
    return Approval("Make a link", said, (("Handle", handle), *given, ("Who it is", known)), back)


def role_words(role: str) -> str:
    """A role as pages name it."""
    return role.replace("_", " ")


def passkeys_work(request: Request) -> bool:
    """Whether the console is reached under a name: passkeys are bound to one."""
    try:
        ip_address(accounts(request).party.rp_id.strip("[]"))
    except ValueError:
        return True
    return False


def codes(request: Request, handle: str, session: str = "") -> dict[str, Any]:
    """What the form for a password and codes shows: a new seed, sealed for the way back, and as a QR code.

    `session` as for `new_seed`.
    """
    context = accounts(request).context
    seed, sealed = new_seed(context, handle, session)
    grouped = " ".join(seed[at : at + 4] for at in range(0, len(seed), 4))
    return {
        "handle": handle,
        "seed": grouped,
        "sealed": sealed,
        "qr": _qr(provisioning_uri(context, handle, seed)),
    }


def _qr(text: str) -> dict[str, Any]:
    """A QR code as one path of an SVG, `size` modules wide with the quiet zone that scanners need."""
    code = segno.make(text, error="m", micro=False)
    rows = list(code.matrix_iter(border=4))
    path = "".join(f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, dark in enumerate(row) if dark)
    return {"size": len(rows), "path": path}
