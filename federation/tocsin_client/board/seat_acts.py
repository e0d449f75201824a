"""What a seat does beside voting, signed with its offline key: on motions, and in an emergency."""

import secrets
from collections.abc import Mapping
from typing import Any, Final

from tocsin_client.http import Call, HubError, Transport
from tocsin_schemas import envelope
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.signals import dump_object

SEAT_ACT_TYP: Final = "tocsin-seat-act+jwt"
SEAT_ACTS: Final = "/v1/board/acts"
MOTIONS: Final = "/v1/board/motions"
PAGE: Final = 100
MOST: Final = 10_000
"""A hub that never ends its list is left there."""
OVER: Final = frozenset({"closed", "lapsed", "withdrawn"})


class SeatDesk:
    """A seat's acts at one hub. `seat` is its name in the roster, `key` an Ed25519 key that the roster names for it."""

    def __init__(self, transport: Transport, seat: str, key: SigningKey, now: int) -> None:
        self._transport = transport
        self._seat = seat
        self._key = key
        self._now = now

    def propose(self, kind: str, subject: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Propose a motion; what it is then, as the hub says.

        Raises:
            HubError: with the problem's code and field.
        """
        return self._do("propose", type=kind, subject=subject, params=dict(params))

    def propose_admission(self, application: str) -> dict[str, Any]:
        """Propose to admit an applicant whose vetting is complete.

        Raises:
            HubError: with the problem's code and field.
        """
        return self._do("propose-admission", application=application)

    def endorse(self, motion: str) -> dict[str, Any]:
        """Endorse another seat's motion.

        Raises:
            HubError: with the problem's code and field.
        """
        return self._do("endorse", motion=motion)

    def declare(self, motion: str, *, conflict: bool) -> dict[str, Any]:
        """Declare that the seat has, or has not, a conflict of interest in a motion.

        Raises:
            HubError: with the problem's code and field.
        """
        return self._do("declare", motion=motion, conflict=conflict)

    def remark(self, motion: str, stance: str, topic: str, document: str | None) -> dict[str, Any]:
        """Say something in a motion's discussion; `document` is a SHA-256 in hexadecimal.

        Raises:
            HubError: with the problem's code and field.
        """
        more = {} if document is None else {"document": document}
        return self._do("remark", motion=motion, stance=stance, topic=topic, **more)

    def withdraw(self, motion: str) -> dict[str, Any]:
        """Take back the seat's own motion, until its ballot opens.

        Raises:
            HubError: with the problem's code and field.
        """
        return self._do("withdraw", motion=motion)

    def begin_emergency(self, issuer: str) -> dict[str, Any]:
        """Put the emergency suspension of a member before the duty officers, or find the paper that waits for one.

        Raises:
            HubError: with the problem's code and field.
        """
        return self._do("begin-emergency", subject=issuer)

    def _do(self, act: str, **said: Any) -> dict[str, Any]:
        payload = {
            "seat": self._seat,
            "aud": self._transport.hub,
            "iat": self._now,
            "jti": secrets.token_hex(16),
            "act": act,
            **said,
        }
        token = envelope.sign(dump_object(payload), self._key, SEAT_ACT_TYP)
        headers = {"Content-Type": "application/jwt"}
        answer = self._transport.request(Call("POST", SEAT_ACTS, headers=headers, body=token)).json()
        if not isinstance(answer, dict):
            raise HubError("answer-invalid", "the hub's answer is not about a motion")
        return answer


def open_motions(transport: Transport) -> list[dict[str, Any]]:
    """The motions that are open, as the hub says.

    Raises:
        HubError: with the problem's code.
    """
    found: list[dict[str, Any]] = []
    params = {"limit": str(PAGE)}
    while True:
        said = transport.request(Call("GET", MOTIONS, params=params)).json()
        if not isinstance(said, list) or not all(isinstance(line, dict) for line in said):
            raise HubError("answer-invalid", "the hub's answer is no list of motions")
        opened = [line for line in said if line.get("state") not in OVER]
        found += opened
        # Those that have ended come last.
        if len(opened) < PAGE or len(found) > MOST:
            return found
        params["after"] = str(opened[-1].get("id"))
