"""What can be told on a stream: types of event, their subjects, and the Security Event Token of each (RFC 8417).

- A type is named by a URI. The word for it is the last part: RISC's and the framework's own, or the hub's word for the
  same thing in a webhook (`tocsin_schemas.notifications`).
- A subject is always `opaque`, the one format that every receiver reads: an indicator, `statement:<digest>`,
  `entry:<log index>`, `member:<issuer>`, `board`, or the id of the stream. Of several hashes of one thing each has a
  token of its own, with one `txn`.
- `iss` is the transmitter. What an author has signed stands inside, byte for byte, for receivers that may know authors.
- There is never `sub` or `exp`, and exactly one event (SSF 1.0 §4).
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple, get_args

from tocsin_schemas.membership import EFFECTS
from tocsin_schemas.notifications import CORRECTIONS, ESCALATIONS, LANES, SEVERITY
from tocsin_schemas.signals import dump_object
from tocsin_schemas.vocabulary import EVENT_PREFIX, ConsequentialAction, MemberState

SSF_PREFIX: Final = "https://schemas.openid.net/secevent/ssf/event-type/"
RISC_PREFIX: Final = "https://schemas.openid.net/secevent/risc/event-type/"

Status = Literal["enabled", "paused", "disabled"]
StreamWord = Literal["verification", "stream-updated"]
RiscWord = Literal["account-disabled", "account-enabled"]
SignalWord = Literal[
    "signal.recorded", "signal.retracted", "signal.expired", "indicator.corroborated", "indicator.disputed"
]
BoardWord = Literal[
    "member.state_changed", "key.rotating", "key.revoked", "appeal.decided", "decision.recorded"
]
Word = StreamWord | RiscWord | SignalWord | BoardWord

STREAM_WORDS: Final[tuple[StreamWord, ...]] = get_args(StreamWord)
"""About the stream itself: sent whatever was asked for (SSF 1.0 §8.1.4, §8.1.5)."""
BOARD_WORDS: Final[tuple[BoardWord, ...]] = get_args(BoardWord)
SUPPORTED: Final[tuple[Word, ...]] = (*get_args(RiscWord), *get_args(SignalWord), *BOARD_WORDS)
"""What a receiver may ask for, in the order in which it is listed."""
WORDS: Final[tuple[Word, ...]] = (*STREAM_WORDS, *SUPPORTED)

URIS: Final[Mapping[Word, str]] = {
    **{word: SSF_PREFIX + word for word in STREAM_WORDS},
    **{word: RISC_PREFIX + word for word in get_args(RiscWord)},
    **{word: EVENT_PREFIX + word for word in (*get_args(SignalWord), *BOARD_WORDS)},
}
WORD_OF: Final[Mapping[str, Word]] = {uri: word for word, uri in URIS.items()}

DISABLING: Final[frozenset[ConsequentialAction]] = frozenset({"frozen", "terminated"})
"""After these the account cannot be used: what RISC calls disabled. A slower or a watched account is not."""

BOARD_SUBJECT: Final = "board"
_LANE: Final[Mapping[str, int]] = {word: LANES[severity] for word, severity in SEVERITY.items()}
_DIGEST_DOMAIN: Final = b"tocsin/stream-subject/v1\n"


def statement_subject(digest: bytes) -> str:
    """The subject that stands for a statement: by its digest, as in the retraction that withdraws it."""
    return f"statement:{digest.hex()}"


def entry_subject(seq: int) -> str:
    """The subject that stands for a statement of which nothing but its log index is left."""
    return f"entry:{seq}"


def member_subject(issuer: str) -> str:
    """The subject that stands for a member."""
    return f"member:{issuer}"


def subject_digest(subject: str) -> bytes:
    """What is remembered of a subject that a receiver took off its stream."""
    return hashlib.sha256(_DIGEST_DOMAIN + subject.encode()).digest()


def lane(word: Word) -> int:
    """The lane an event is delivered by: 0 for what is waited for, and for what others agree on."""
    return 0 if word in STREAM_WORDS else _LANE.get(word, 1)


def reaches(word: Word, state: MemberState) -> bool:
    """Whether a member in this state is told of such an event (trust.md §1): the same as by webhook."""
    told = EFFECTS[state].webhooks
    if told == "corrections":
        return word in CORRECTIONS or word == "account-enabled"
    return told == "all" or (told == "no_escalations" and word not in ESCALATIONS)


def held_back(word: Word, state: MemberState) -> bool:
    """Whether an event waits until the member is in another state: under emergency suspension nothing is told.

    What it is told of it afterwards is decided then.
    """
    return word not in STREAM_WORDS and EFFECTS[state].webhooks == "none"


def sendable(status: Status, *, verified: bool) -> tuple[Word, ...]:
    """What goes out on a stream with this status (SSF 1.0 §8.1.2.1).

    Until a push target has answered, nothing but what is about the stream itself goes there. That a stream has stopped
    is the one thing said on a stream that has.
    """
    if status != "enabled":
        return ("stream-updated",)
    return WORDS if verified else STREAM_WORDS


class Token(NamedTuple):
    """What one Security Event Token says, but for the event's own members. Instants are NumericDate.

    `jti` and `txn` are 16 random bytes: the first is the token's own, the second that of its cause. `toe` is when the
    cause happened, where that is not the issue itself.
    """

    aud: str
    iat: int
    jti: bytes
    subject: str
    word: Word
    txn: bytes | None = None
    toe: int | None = None


def compose(iss: str, token: Token, event: Mapping[str, Any]) -> bytes:
    """The payload of a token, ready to sign; members of `event` that are None are left out."""
    claims: dict[str, Any] = {"iss": iss, "aud": token.aud, "iat": token.iat, "jti": token.jti.hex()}
    if token.txn is not None:
        claims["txn"] = token.txn.hex()
    if token.toe is not None:
        claims["toe"] = token.toe
    claims["sub_id"] = {"format": "opaque", "id": token.subject}
    claims["events"] = {URIS[token.word]: {name: said for name, said in event.items() if said is not None}}
    return dump_object(claims)
