"""Signed notes (C2SP signed-note): a text and the signatures below it, each under a name and a key id.

Ed25519 signs the text itself. The keys of cosigners (C2SP tlog-cosignature) sign something made from it, which
`tocsin_schemas.checkpoint` knows. A note is read strictly, one spelling for everything, since its bytes are what
parties compare; its text means nothing before a key that is trusted has verified it.
"""

import binascii
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, Self, get_args

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey
from nacl import bindings

from tocsin_schemas.jwk import PublicKey, SigningKey
from tocsin_schemas.problems import Refused

Kind = Literal[0x01, 0x04, 0x06]
"""The signature types spoken here: an Ed25519 note, an Ed25519 cosignature, an ML-DSA-44 cosignature."""

ED25519: Final = 0x01
ED25519_COSIGNER: Final = 0x04
ML_DSA_44_COSIGNER: Final = 0x06
COSIGNERS: Final = frozenset({ED25519_COSIGNER, ML_DSA_44_COSIGNER})
MAX_NOTE_BYTES: Final = 256 * 1024
"""Room for 32 post-quantum signatures: signed-note demands 16, tlog-policy recommends 32 witnesses."""

_PUBLIC_BYTES: Final = {ED25519: 32, ED25519_COSIGNER: 32, ML_DSA_44_COSIGNER: 1312}
_KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
_ID_BYTES: Final = 4
_LEAD: Final = "\u2014 "
"""What a signature line starts with: an em dash and a space."""


@dataclass(frozen=True, slots=True)
class NoteVerifier:
    """A public key with the name it signs under; `public` is 32 bytes for Ed25519, 1,312 for ML-DSA-44.

    Raises:
        Refused: `note-malformed` when the name or the key is none.
    """

    name: str
    kind: Kind
    public: bytes = field(repr=False)
    key_id: int = field(init=False)

    def __post_init__(self) -> None:
        if not _is_name(self.name):
            raise Refused(
                "note-malformed", "vkey.name", "a key's name has no space, plus or control character"
            )
        if len(self.public) != _PUBLIC_BYTES.get(self.kind):
            raise Refused("note-malformed", "vkey.key", "not a key of a known signature type")
        if self.kind != ML_DSA_44_COSIGNER and not bindings.crypto_core_ed25519_is_valid_point(self.public):
            raise Refused("note-malformed", "vkey.key", "not a canonical point of the prime-order subgroup")
        named = self.name.encode() + b"\n" + bytes([self.kind]) + self.public
        object.__setattr__(self, "key_id", int.from_bytes(hashlib.sha256(named).digest()[:_ID_BYTES]))

    @classmethod
    def parse(cls, vkey: str) -> Self:
        """Read a verifier key, `<name>+<key id>+<base64 of signature type and key>`.

        Raises:
            Refused: `note-malformed` when it is none, of another type, or has another key's id.
        """
        name, _, rest = vkey.partition("+")
        key_id, plus, encoded = rest.partition("+")
        raw = b64decode(encoded) if plus else None
        if raw is None or not raw:
            raise Refused("note-malformed", "vkey", "a verifier key is a name, an id and a key, joined by +")
        kind = next((kind for kind in _KINDS if kind == raw[0]), None)
        if kind is None:
            raise Refused("note-malformed", "vkey.key", "not a key of a known signature type")
        found = cls(name, kind, raw[1:])
        if key_id != f"{found.key_id:08x}":
            raise Refused("note-malformed", "vkey.id", "not the id of this key under this name")
        return found

    @property
    def vkey(self) -> str:
        """The verifier key that `parse` reads."""
        return f"{self.name}+{self.key_id:08x}+{b64encode(bytes([self.kind]) + self.public)}"

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether `signature` is this key's over exactly `message`."""
        if self.kind != ML_DSA_44_COSIGNER:
            # The same semantics as for signals: what one hub takes for valid, every hub does.
            return PublicKey("Ed25519", self.public, "").verify(signature, message)
        try:
            MLDSA44PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            return False
        return True


class NoteSigner:
    """A private key with the name it signs under."""

    def __init__(self, name: str, kind: Kind, key: SigningKey | MLDSA44PrivateKey) -> None:
        """`key` is an Ed25519 `SigningKey`, or ML-DSA-44 for that kind of cosigner.

        Raises:
            Refused: `note-malformed` when the name or the key does not fit.
        """
        self._key = key
        public = key.public.raw if isinstance(key, SigningKey) else key.public_key().public_bytes_raw()
        self.verifier = NoteVerifier(name, kind, public)

    def sign(self, message: bytes) -> bytes:
        """The signature over exactly `message`: 64 bytes, or 2,420 of ML-DSA-44."""
        return self._key.sign(message)

    def line(self, signature: bytes) -> str:
        """The signature line of what a note carries for this key, with its line feed."""
        return Signature(self.verifier.name, self.verifier.key_id, signature).line


class Signature(NamedTuple):
    """One signature line: who signed, and the raw signature behind the key id."""

    name: str
    key_id: int
    raw: bytes

    @property
    def line(self) -> str:
        """The line, with its line feed."""
        return f"{_LEAD}{self.name} {b64encode(self.key_id.to_bytes(_ID_BYTES) + self.raw)}\n"


class Note(NamedTuple):
    """A note that is well formed; nothing in it has been verified. `text` ends in a line feed."""

    text: str
    signatures: tuple[Signature, ...]

    def render(self) -> bytes:
        """The note's bytes."""
        return (self.text + "\n" + "".join(signature.line for signature in self.signatures)).encode()


class Verified(NamedTuple):
    """A note with those of its signatures that a known key verified: at least one, in the note's order."""

    note: Note
    by: tuple[tuple[NoteVerifier, Signature], ...]


Signed = Callable[[Note, NoteVerifier, bytes], tuple[bytes, bytes]]
"""From a note, a known key and its raw signature: the message that was signed, and the bare signature."""


def parse_note(raw: bytes) -> Note:
    """Read a note.

    Raises:
        Refused: `note-malformed` when it is not one, or larger than `MAX_NOTE_BYTES`.
    """
    if len(raw) > MAX_NOTE_BYTES:
        raise Refused("note-malformed", "note", f"{MAX_NOTE_BYTES} bytes are the limit")
    try:
        content = raw.decode()
    except UnicodeDecodeError:
        raise Refused("note-malformed", "note", "not UTF-8") from None
    if any(char < " " and char != "\n" for char in content):
        raise Refused("note-malformed", "note", "a control character other than the line feed")
    text, blank, lines = content.rpartition("\n\n")
    if not blank or not lines.endswith("\n"):
        raise Refused("note-malformed", "note", "a text, an empty line and signature lines make a note")
    return Note(text + "\n", parse_signatures(lines))


def parse_signatures(lines: str) -> tuple[Signature, ...]:
    """Read signature lines, each ending in a line feed.

    Raises:
        Refused: `note-malformed` at the first line that is none.
    """
    return tuple(_signature(line) for line in lines.removesuffix("\n").split("\n"))


def sign_note(text: str, signer: NoteSigner) -> bytes:
    """A note of `text`, which ends in a line feed, signed by an Ed25519 key."""
    note = Note(text, ())
    return note.render() + signer.line(signer.sign(text.encode())).encode()


def plainly(note: Note, verifier: NoteVerifier, raw: bytes) -> tuple[bytes, bytes]:
    """What an Ed25519 key signs: the text itself."""
    if verifier.kind != ED25519:
        raise ValueError("the key of a cosigner verifies checkpoints, not notes")
    return note.text.encode(), raw


def verify_note(raw: bytes, verifiers: Iterable[NoteVerifier], signed: Signed = plainly) -> Verified:
    """Read a note and verify the signatures of known keys; those of others are ignored.

    Raises:
        Refused: `note-malformed`; `signature-invalid` when a known key's signature does not verify;
            `checkpoint-unsigned` when no known key signed it.
    """
    note = parse_note(raw)
    known = {(verifier.name, verifier.key_id): verifier for verifier in verifiers}
    by = []
    for signature in note.signatures:
        verifier = known.get((signature.name, signature.key_id))
        if verifier is None:
            continue
        if not verifier.verify(*signed(note, verifier, signature.raw)):
            raise Refused("signature-invalid", "note.signature", "does not verify with the key it names")
        by.append((verifier, signature))
    if not by:
        raise Refused("checkpoint-unsigned", "note.signature", "no known key has signed it")
    return Verified(note, tuple(by))


def b64encode(raw: bytes) -> str:
    """Base64 (RFC 4648 §4), with padding."""
    return binascii.b2a_base64(raw, newline=False).decode()


def b64decode(text: str) -> bytes | None:
    """The bytes of canonical base64 (RFC 4648 §4), with padding and without stray bits; None for anything else."""
    try:
        raw = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        return None
    return raw if b64encode(raw) == text else None


def _signature(line: str) -> Signature:
    name, space, encoded = line.removeprefix(_LEAD).partition(" ")
    raw = b64decode(encoded) if space and line.startswith(_LEAD) else None
    if raw is None or len(raw) <= _ID_BYTES or not _is_name(name):
        raise Refused("note-malformed", "note.signature", "not a signature line")
    return Signature(name, int.from_bytes(raw[:_ID_BYTES]), raw[_ID_BYTES:])


def _is_name(name: str) -> bool:
    """Whether `name` may be a key's: not empty, and without Unicode spaces, plus and control characters."""
    return bool(name) and not any(
        char.isspace() or char < " " or char == "+" or "\ud800" <= char <= "\udfff" for char in name
    )
