"""What an application says, and how long it may wait.

Nothing in it is free text: an answer is a code of a closed list, an https origin, or the SHA-256 of a document that the
applicant keeps and shows to the checkers. Who applies proves possession of every key it wants registered.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import Field, ValidationError

from tocsin_schemas.envelope import AuthorKey, open_token
from tocsin_schemas.governance import PROOF_TYP, KeyProof
from tocsin_schemas.jwk import PublicKey, public_key
from tocsin_schemas.policy import DAY
from tocsin_schemas.problems import Refused
from tocsin_schemas.signals import LATEST, Closed, Digest, Issuer, load_object
from tocsin_schemas.vocabulary import MemberClass

PROOF_SECONDS: Final = 3600
PROOF_FUTURE: Final = 60
MAX_KEYS: Final = 4
MAX_ANSWERS: Final = 16
MAX_WAITING: Final = 500
"""Applications handed in that nobody has looked at yet; past it the hub asks to come back later."""
MAX_DRAFTS: Final = 2000
DRAFT_SECONDS: Final = 3 * DAY
"""How many drafts there may be, and for how long each: they cost nobody anything, so they must not add up."""
AnswerKind = Literal["code", "origin", "digest"]


class Question(NamedTuple):
    """One question of the form: what an answer is, whether there may be several, and the words beside it."""

    kind: AnswerKind
    label: str
    hint: str
    choices: tuple[str, ...] = ()
    many: bool = False
    required: bool = True


QUESTIONS: Final[Mapping[str, Question]] = {
    "registration": Question(
        "digest", "Entry in the company or charity register", "SHA-256 of the extract you will show"
    ),
    "ownership": Question(
        "digest", "Declaration of the ultimate owners", "SHA-256 of the signed declaration"
    ),
    "governmental": Question(
        "code", "Governmental body, or acting for one", "Such bodies cannot be members", ("no",)
    ),
    "domain": Question("origin", "Origins you run", "https origins, one a line", many=True),
    "service": Question(
        "code",
        "What you run",
        "Every kind that applies",
        (
            "social",
            "messaging",
            "file_hosting",
            "video",
            "search",
            "image_generation",
            "text_generation",
            "voice_generation",
            "model_hosting",
            "hotline",
            "marketplace",
            "other",
        ),
        many=True,
    ),
    "jurisdiction": Question(
        "code",
        "Where you are established",
        "Every legal order that applies",
        ("eu", "eea", "uk", "us", "ca", "au", "nz", "jp", "kr", "in", "br", "other"),
        many=True,
    ),
    "abuse_policy": Question("origin", "Where your abuse policy is public", "https origin"),
    "appeals": Question("origin", "Where people can appeal your decisions", "https origin"),
    "transparency": Question("origin", "Where your transparency reports are", "https origin", required=False),
    "government_requests": Question(
        "digest", "How you handle requests of governments", "SHA-256 of the procedure"
    ),
    "human_review": Question(
        "code",
        "When people review before you act",
        "The weakest that holds everywhere",
        ("around_the_clock", "business_hours", "on_demand"),
    ),
    "contacts": Question(
        "digest",
        "Abuse, security and data protection contacts",
        "SHA-256 of the sheet you hand to the operator",
    ),
    "security": Question(
        "code", "Security attestation", "The strongest you hold", ("iso27001", "soc2", "questionnaire")
    ),
    "security_evidence": Question("digest", "Its report or answers", "SHA-256 of the document"),
    "lawful_basis": Question("digest", "Lawful basis of each kind of signal", "SHA-256 of the statement"),
    "retention": Question("digest", "Retention, processors and where data lies", "SHA-256 of the statement"),
    "sanctions": Question(
        "code", "Sanctions by a similar programme", "In the last five years", ("none", "some")
    ),
    "sanctions_evidence": Question(
        "digest", "What they were", "SHA-256 of the statement, where there were some", required=False
    ),
    "antitrust": Question("code", "Antitrust statement", "Read and accepted", ("accepted",)),
    "conduct": Question("code", "Code of conduct", "Read and accepted", ("accepted",)),
}
"""The form, in its order."""

CODES: Final = tuple(sorted({code for question in QUESTIONS.values() for code in question.choices}))


class Answer(NamedTuple):
    """One answer: exactly one of the three is there."""

    code: str | None = None
    origin: str | None = None
    digest: str | None = None


class Wish(Closed):
    """A community the applicant wants to take part in."""

    community: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    read: bool
    write: bool


class KeyOffer(Closed):
    """A key to register, and the proof that the applicant has it."""

    jwk: dict[str, str]
    proof: Annotated[str, Field(max_length=8192)]


Owner = Annotated[str, Field(pattern=r"^(https://[a-z0-9.:-]{1,280}|cg_[a-z2-7]{16})$")]
Wishes = Annotated[list[Wish], Field(max_length=16)]
KeyOffers = Annotated[list[KeyOffer], Field(max_length=MAX_KEYS)]


class ApplicationForm(Closed):
    """What an applicant sends. `owner` is the ultimate owner: an https origin, or the id of a control group."""

    issuer: Issuer
    member_class: MemberClass
    owner: Owner
    communities: Annotated[Wishes, Field(default_factory=list)]
    keys: Annotated[KeyOffers, Field(default_factory=list)]
    answers: Annotated[dict[str, list[str]], Field(default_factory=dict)]


class Amendment(Closed):
    """What may change in a draft beside its answers. What is given takes the place of what was; the rest stays."""

    member_class: MemberClass | None = None
    owner: Owner | None = None
    communities: Wishes | None = None
    keys: KeyOffers | None = None


class _Origin(Closed):
    origin: Issuer


class _Digest(Closed):
    digest: Digest


def read_answers(given: Mapping[str, Sequence[str]]) -> dict[str, tuple[Answer, ...]]:
    """The answers in their kinds, in the form's order; a question without an answer is left out.

    Raises:
        Refused: `claim-unknown` for a question there is none of, `claim-invalid` for an answer that is not of its
            question's kind, twice the same, or too many.
    """
    if given.keys() - QUESTIONS.keys():
        raise Refused("claim-unknown", "answers", "not a question of the form")
    found: dict[str, tuple[Answer, ...]] = {}
    for name, question in QUESTIONS.items():
        values = given.get(name, [])
        if len(values) > (MAX_ANSWERS if question.many else 1):
            raise Refused("claim-invalid", f"answers.{name}", "more answers than the question takes")
        if len(set(values)) < len(values):
            raise Refused("claim-invalid", f"answers.{name}", "twice the same answer")
        if values:
            found[name] = tuple(_answer(name, question, value) for value in values)
    return found


def missing(answered: Iterable[str], keys: int) -> tuple[str, ...]:
    """What an application still lacks before it can be submitted."""
    have = frozenset(answered)
    lacking = [name for name, question in QUESTIONS.items() if question.required and name not in have]
    return (*lacking, *(() if keys else ("keys",)))


def check_proof(offer: KeyOffer, issuer: str, hub: str, now: int) -> PublicKey:
    """The key that an applicant offers, once it has proved that it holds the private part.

    Raises:
        Refused: as `jwk.public_key` and `envelope.open_token`; `issuer-mismatch`, `audience-unknown`, `claim-invalid`,
            `iat-future` or `iat-too-old` when the proof is for something else or of another time.
    """
    key = public_key(offer.jwk)
    opened = open_token(offer.proof.encode(), {key.kid: AuthorKey(key, issuer, 0, LATEST)}, PROOF_TYP)
    try:
        proof = KeyProof.model_validate(load_object(opened.payload, "proof"))
    except ValidationError:
        raise Refused("claim-invalid", "proof", "names iss, aud, kid and iat, and nothing else") from None
    if proof.iss != issuer:
        raise Refused("issuer-mismatch", "proof.iss", "must be the applicant's issuer")
    if proof.aud != hub:
        raise Refused("audience-unknown", "proof.aud", "must be the issuer of this hub")
    if proof.kid != key.kid:
        raise Refused("claim-invalid", "proof.kid", "must be the key that signs the proof")
    if proof.iat > now + PROOF_FUTURE:
        raise Refused("iat-future", "proof.iat", f"more than {PROOF_FUTURE} s ahead of the hub's clock")
    if proof.iat < now - PROOF_SECONDS:
        raise Refused("iat-too-old", "proof.iat", f"more than {PROOF_SECONDS} s old")
    return key


def _answer(name: str, question: Question, value: str) -> Answer:
    if question.kind == "code":
        if value not in question.choices:
            raise Refused("claim-invalid", f"answers.{name}", f"one of {', '.join(question.choices)}")
        return Answer(code=value)
    if question.kind == "origin":
        return Answer(
            origin=_checked(_Origin, name, "an https origin in lower case, without a path", origin=value)
        )
    return Answer(
        digest=_checked(_Digest, name, "a SHA-256 in 64 lower-case hexadecimal digits", digest=value)
    )


def _checked(model: type[Closed], name: str, what: str, **value: str) -> str:
    try:
        model.model_validate(value)
    except ValueError:
        raise Refused("claim-invalid", f"answers.{name}", what) from None
    return next(iter(value.values()))
