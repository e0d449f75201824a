"""Signed notes, checkpoints and cosignatures, put together by hand from the C2SP specifications of those names.

Ed25519 is deterministic. ML-DSA-44 is not, so the one signature of it stands in `w3-signature.txt`; it was made once
over the message that is built here.
"""

import base64
import hashlib
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from tests.support.vectors.keys import FixedKey, unbase64url
from tests.support.vectors.log import ROOTS

ORIGIN: Final = "hub.example/log"
AT: Final = 1795305600
"""2026-11-22T00:00:00Z: when the cosignatures were made."""
EXAMPLE_KEY: Final = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE: Final = (
    "This is an example message.\n\n"
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
"""The example of C2SP signed-note."""
W3_SIGNATURE: Final = base64.b64decode(Path(__file__).with_name("w3-signature.txt").read_text())


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def vkey(name: str, kind: int, public: bytes) -> str:
    typed = bytes([kind]) + public
    return f"{name}+{key_id(name, typed).hex()}+{b64(typed)}"


def key_id(name: str, typed: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + typed).digest()[:4]


class Key:
    """A fixed key under a name: 1 signs notes, 4 and 6 cosign checkpoints."""

    def __init__(self, name: str, kind: int) -> None:
        self.name, self.kind = name, kind
        self.fixed = FixedKey(name, "Ed25519", "")
        if kind == 6:
            private = MLDSA44PrivateKey.from_seed_bytes(self.fixed.seed)
            self.public = private.public_key().public_bytes_raw()
        else:
            self.public = unbase64url(self.fixed.public()["x"])
        typed = bytes([kind]) + self.public
        self.id = key_id(name, typed)
        self.vkey = vkey(name, kind, self.public)

    def line(self, signature: bytes, **instead: str) -> str:
        name = instead.get("name", self.name)
        return f"— {name} {b64(self.id + signature)}\n"


LOG: Final = Key(ORIGIN, 1)
OTHER_LOG: Final = Key("other.example/log", 1)
W1: Final = Key("witness.example/w1", 4)
W2: Final = Key("witness.example/w2", 4)
W3: Final = Key("witness.example/w3", 6)


def head(size: int, origin: str = ORIGIN, *extensions: str) -> str:
    """The text of a checkpoint over the first `size` leaves of trees.json."""
    lines = (origin, str(size), b64(bytes.fromhex(ROOTS[size])), *extensions)
    return "".join(line + "\n" for line in lines)


def signed(text: str, key: Key = LOG) -> str:
    return key.line(key.fixed.sign(text.encode()))


def cosigned(text: str, key: Key, at: int = AT) -> str:
    message = f"cosignature/v1\ntime {at}\n{text}".encode()
    return key.line(at.to_bytes(8) + key.fixed.sign(message))


def subtree_message(size: int = 8, at: int = AT, key: Key = W3) -> bytes:
    """What an ML-DSA-44 cosigner signs of a checkpoint: `cosigned_message` of tlog-cosignature."""
    return b"".join(
        (
            b"subtree/v1\n\0",
            bytes([len(key.name)]) + key.name.encode(),
            at.to_bytes(8),
            bytes([len(ORIGIN)]) + ORIGIN.encode(),
            (0).to_bytes(8),
            size.to_bytes(8),
            bytes.fromhex(ROOTS[size]),
        )
    )


def note(text: str, *lines: str) -> str:
    return text + "\n" + "".join(lines)


EIGHT: Final = head(8)
W3_LINE: Final = W3.line(AT.to_bytes(8) + W3_SIGNATURE)
COSIGNED: Final = note(EIGHT, signed(EIGHT), cosigned(EIGHT, W1), cosigned(EIGHT, W2, AT + 1), W3_LINE)


def notes_document() -> dict[str, Any]:
    text = "One line.\n\nAnd another, behind an empty one.\n"
    line = signed(text)
    unknown = OTHER_LOG.line(bytes(64))
    bad = LOG.line(OTHER_LOG.fixed.sign(text.encode()))
    encoded = line.split(" ")[2]
    return {
        "says": "C2SP signed-note. Ed25519 keys of type 1; a refused key or note is refused with `code`.",
        "verifier_keys": [
            {"vkey": key.vkey, "name": key.name, "key_id": key.id.hex(), "type": key.kind}
            for key in (LOG, W1, W3)
        ],
        "refused_verifier_keys": [
            {"why": why, "vkey": vkey, "code": "note-malformed"}
            for why, vkey in (
                ("nothing", ""),
                ("a name alone", ORIGIN),
                ("no key", f"{ORIGIN}+{LOG.id.hex()}"),
                ("an empty key", f"{ORIGIN}+{LOG.id.hex()}+"),
                ("no name", LOG.vkey.removeprefix(ORIGIN)),
                ("a space in the name", LOG.vkey.replace("/", " ", 1)),
                ("a no-break space in the name", LOG.vkey.replace("/", "\u00a0", 1)),
                ("a control character in the name", LOG.vkey.replace("/", "\x1b", 1)),
                ("another name", LOG.vkey.replace("hub", "hob", 1)),
                ("another id", LOG.vkey.replace(LOG.id.hex(), "00000000")),
                ("an upper-case id", LOG.vkey.replace(LOG.id.hex(), LOG.id.hex().upper())),
                ("a short key", f"{ORIGIN}+{LOG.id.hex()}+{b64(bytes([1]) + LOG.public[:31])}"),
                ("no padding", W1.vkey.rstrip("=").replace("=", "") + "A"),
                ("base64url", f"{ORIGIN}+{LOG.id.hex()}+" + "_" * 44),
                ("a letter beyond ASCII in the key", f"{ORIGIN}+{LOG.id.hex()}+" + "ü" * 44),
                ("the identity for a key", vkey(ORIGIN, 1, bytes([1]) + bytes(31))),
                ("a type not spoken", vkey(ORIGIN, 2, LOG.public)),
                ("a type of an Ed25519 key for an ML-DSA-44 key", vkey(ORIGIN, 4, W3.public)),
            )
        ],
        "notes": [
            {
                "note": EXAMPLE,
                "vkeys": [EXAMPLE_KEY],
                "text": EXAMPLE.split("\n\n")[0] + "\n",
                "by": [EXAMPLE_KEY],
            },
            {"note": note(text, line), "vkeys": [LOG.vkey], "text": text, "by": [LOG.vkey]},
            {"note": note(text, unknown, line), "vkeys": [LOG.vkey], "text": text, "by": [LOG.vkey]},
            {
                "note": note(text, OTHER_LOG.line(bytes(64), name=ORIGIN), line),
                "vkeys": [LOG.vkey],
                "text": text,
                "by": [LOG.vkey],
            },
            {
                "note": note(text, line, signed(text, OTHER_LOG)),
                "vkeys": [OTHER_LOG.vkey, LOG.vkey],
                "text": text,
                "by": [LOG.vkey, OTHER_LOG.vkey],
            },
            {
                "note": note(text, *(unknown for _ in range(15)), line),
                "vkeys": [LOG.vkey],
                "text": text,
                "by": [LOG.vkey],
            },
        ],
        "refused_notes": [
            {"why": why, "note": refused, "vkeys": [LOG.vkey], "code": code}
            for why, refused, code in (
                ("nothing", "", "note-malformed"),
                ("no signature", text, "note-malformed"),
                ("no signature behind the empty line", text + "\n", "note-malformed"),
                ("no empty line", "One line.\n" + line, "note-malformed"),
                ("no line feed at the end", note(text, line).rstrip("\n"), "note-malformed"),
                ("a line feed too many", note(text, line) + "\n", "note-malformed"),
                ("carriage returns", note(text, line).replace("\n", "\r\n"), "note-malformed"),
                ("a tab", note(text.replace(" ", "\t"), line), "note-malformed"),
                ("a hyphen for the dash", note(text, line.replace("—", "-")), "note-malformed"),
                ("no name", note(text, f"—  {encoded}"), "note-malformed"),
                ("a plus in the name", note(text, f"— a+b {encoded}"), "note-malformed"),
                ("two spaces", note(text, line.replace(" ", "  ")), "note-malformed"),
                ("no base64", note(text, f"— {ORIGIN} !\n"), "note-malformed"),
                ("base64 without padding", note(text, line.replace("=", "")), "note-malformed"),
                ("stray bits in base64", note(text, f"— {ORIGIN} AAAAAAB=\n"), "note-malformed"),
                ("nothing behind the id", note(text, f"— {ORIGIN} {b64(LOG.id)}\n"), "note-malformed"),
                ("signed by another key only", note(text, unknown), "checkpoint-unsigned"),
                ("under another name", note(text, LOG.line(bytes(64), name="a")), "checkpoint-unsigned"),
                ("a signature that is another's", note(text, bad), "signature-invalid"),
                ("a bad one behind a good one", note(text, line, bad), "signature-invalid"),
                ("a short signature", note(text, LOG.line(bytes(63))), "signature-invalid"),
                ("another text", note(text + "More.\n", line), "signature-invalid"),
            )
        ],
    }


def checkpoints_document() -> dict[str, Any]:
    root = b64(bytes.fromhex(ROOTS[8]))
    other = head(8, OTHER_LOG.name)
    late = (1 << 63).to_bytes(8) + W1.fixed.sign(f"cosignature/v1\ntime {1 << 63}\n{EIGHT}".encode())
    everybody = {"logs": [LOG.name], "witnesses": [W1.name, W2.name, W3.name]}
    extended = head(8, ORIGIN, "an extension", "another")
    return {
        "says": (
            "C2SP tlog-checkpoint and tlog-cosignature, over the leaves of trees.json. Open a note with the keys of "
            "logs and witnesses: the head and `cosignatures` come out, or it is refused with `code`."
        ),
        "keys": {key.name: key.vkey for key in (LOG, OTHER_LOG, W1, W2, W3)},
        "texts": [
            {"text": text, "origin": origin, "size": size, "root": found, "extensions": extensions}
            for text, origin, size, found, extensions in (
                (EIGHT, ORIGIN, 8, ROOTS[8], []),
                (head(0), ORIGIN, 0, ROOTS[0], []),
                (f"any text = a name\n{2**63 - 1}\n{root}\n", "any text = a name", 2**63 - 1, ROOTS[8], []),
                (extended, ORIGIN, 8, ROOTS[8], ["an extension", "another"]),
            )
        ],
        "refused_texts": [
            {"why": why, "text": text, "code": "checkpoint-malformed"}
            for why, text in (
                ("nothing", ""),
                ("two lines", f"{ORIGIN}\n8\n"),
                ("no line feed at the end", EIGHT.rstrip("\n")),
                ("no origin", f"\n8\n{root}\n"),
                ("an empty extension line", EIGHT + "\n"),
                ("an empty line between", f"{ORIGIN}\n\n8\n{root}\n"),
                ("a leading zero", f"{ORIGIN}\n08\n{root}\n"),
                ("a sign", f"{ORIGIN}\n+8\n{root}\n"),
                ("a negative size", f"{ORIGIN}\n-8\n{root}\n"),
                ("a space", f"{ORIGIN}\n8 \n{root}\n"),
                ("digits of another script", f"{ORIGIN}\n\u0668\n{root}\n"),
                ("2^63", f"{ORIGIN}\n{2**63}\n{root}\n"),
                ("twenty digits", f"{ORIGIN}\n{10**19}\n{root}\n"),
                ("a root in hexadecimal", f"{ORIGIN}\n8\n{ROOTS[8]}\n"),
                ("a short root", f"{ORIGIN}\n8\n{b64(bytes(31))}\n"),
                ("a root without padding", f"{ORIGIN}\n8\n{root.rstrip('=')}\n"),
            )
        ],
        "signed_messages": [
            {
                "key": W3.name,
                "message_hex": subtree_message().hex(),
                "signature_hex": W3_SIGNATURE.hex(),
            }
        ],
        "opened": [
            {
                **everybody,
                "note": COSIGNED,
                "size": 8,
                "cosignatures": [[W1.name, AT], [W2.name, AT + 1], [W3.name, AT]],
            },
            {**everybody, "witnesses": [], "note": COSIGNED, "size": 8, "cosignatures": []},
            {**everybody, "note": note(EIGHT, signed(EIGHT)), "size": 8, "cosignatures": []},
            {
                **everybody,
                "logs": [OTHER_LOG.name, LOG.name],
                "note": note(extended, cosigned(extended, W2, 0), signed(extended)),
                "size": 8,
                "cosignatures": [[W2.name, 0]],
            },
        ],
        "refused": [
            {**everybody, "why": why, "note": refused, "code": code}
            for why, refused, code in (
                ("no signature of the log", note(EIGHT, cosigned(EIGHT, W1)), "checkpoint-unsigned"),
                ("another log's", note(other, signed(other, OTHER_LOG)), "checkpoint-unsigned"),
                ("the log's key under another origin", note(other, signed(other)), "checkpoint-unsigned"),
                ("no checkpoint", note("Hello.\n", signed("Hello.\n")), "checkpoint-malformed"),
                (
                    "a cosignature of no checkpoint",
                    note("Hello.\n", cosigned("Hello.\n", W1)),
                    "checkpoint-malformed",
                ),
                ("a bad signature of the log", note(EIGHT, signed(head(7))), "signature-invalid"),
                (
                    "a cosignature of another head",
                    note(EIGHT, signed(EIGHT), cosigned(head(7), W1)),
                    "signature-invalid",
                ),
                (
                    "a cosignature of another time",
                    note(EIGHT, signed(EIGHT), W1.line((AT + 1).to_bytes(8) + _raw(cosigned(EIGHT, W1)))),
                    "signature-invalid",
                ),
                (
                    "an ML-DSA-44 cosignature of another time",
                    note(EIGHT, signed(EIGHT), W3.line((AT + 1).to_bytes(8) + W3_SIGNATURE)),
                    "signature-invalid",
                ),
                (
                    "an ML-DSA-44 cosignature of another head",
                    note(head(7), signed(head(7)), W3_LINE),
                    "signature-invalid",
                ),
                ("a time of 2^63", note(EIGHT, signed(EIGHT), W1.line(late)), "signature-invalid"),
                ("a time alone", note(EIGHT, signed(EIGHT), W1.line(AT.to_bytes(8))), "signature-invalid"),
                ("half a time", note(EIGHT, signed(EIGHT), W1.line(bytes(4))), "signature-invalid"),
                (
                    "a plain signature for a cosignature",
                    note(EIGHT, signed(EIGHT), W1.line(W1.fixed.sign(EIGHT.encode()))),
                    "signature-invalid",
                ),
            )
        ],
    }


def _raw(line: str) -> bytes:
    """The bare signature of a cosignature line."""
    return base64.b64decode(line.split(" ")[2])[12:]
