"""A log for tests, as RFC 6962 §2.1 defines it: by recursion over its leaves, with none of the hub's code for trees."""

import hashlib
from base64 import b64encode
from dataclasses import dataclass, field

from tocsin_schemas.checkpoint import Checkpoint, cosign, sign_checkpoint
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.notes import ED25519, NoteSigner, sign_note


def root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 §2.1."""
    if len(leaves) < 2:
        return hashlib.sha256(b"\0" + leaves[0] if leaves else b"").digest()
    middle = split(len(leaves))
    return hashlib.sha256(b"\1" + root(leaves[:middle]) + root(leaves[middle:])).digest()


def proof(old: int, leaves: list[bytes], whole: bool = True) -> list[bytes]:
    """PROOF and SUBPROOF of RFC 6962 §2.1.2."""
    if old == len(leaves):
        return [] if whole else [root(leaves)]
    middle = split(len(leaves))
    if old <= middle:
        return [*proof(old, leaves[:middle], whole), root(leaves[middle:])]
    return [*proof(old - middle, leaves[middle:], False), root(leaves[:middle])]


def split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def signer(name: str) -> NoteSigner:
    """A new Ed25519 key of a log."""
    return NoteSigner(name, ED25519, SigningKey.generate())


@dataclass
class Log:
    """A log of `leaves` that signs whatever it is asked to."""

    origin: str = "log.example/one"
    leaves: list[bytes] = field(default_factory=lambda: [b"leaf %d" % number for number in range(200)])

    def __post_init__(self) -> None:
        self.signer = signer(self.origin)

    @property
    def key(self):
        return self.signer.verifier

    def forked(self, at: int) -> "Log":
        """The same log with other leaves from `at` on."""
        other = Log(self.origin, [*self.leaves[:at], *(b"other" + leaf for leaf in self.leaves[at:])])
        other.signer = self.signer
        return other

    def root(self, size: int) -> bytes:
        return root(self.leaves[:size])

    def head(self, size: int) -> Checkpoint:
        return Checkpoint(self.origin, size, self.root(size))

    def note(self, size: int) -> bytes:
        return sign_checkpoint(*self.head(size)[:3], self.signer)

    def extended(self, size: int, *extensions: str) -> bytes:
        """A signed checkpoint with extension lines."""
        return sign_note(self.head(size)._replace(extensions=extensions).text, self.signer)

    def request(self, old: int, size: int, note: bytes | None = None) -> bytes:
        """An honest add-checkpoint request, or one with another note."""
        path = proof(old, self.leaves[:size]) if 0 < old < size else []
        return request(old, path, self.note(size) if note is None else note)


def request(old: int | str, path: list[bytes], note: bytes) -> bytes:
    lines = [f"old {old}", *(b64encode(item).decode() for item in path), "", ""]
    return "\n".join(lines).encode() + note


def stranger_line(checkpoint: Checkpoint, name: str = "stranger.example/w") -> bytes:
    """A signature line of a key that nobody knows."""
    from tocsin_schemas.notes import ED25519_COSIGNER

    return cosign(checkpoint, NoteSigner(name, ED25519_COSIGNER, SigningKey.generate()), 1).encode()
