"""The log: entries, commitments, bundles, their paths, and Merkle roots.

The roots of 0 to 8 leaves are those of the test data of Certificate Transparency's reference implementation; the root
of 9 follows from that of 8 by RFC 6962 §2.1, since the largest power of two below 9 is 8.
"""

import hashlib
import hmac
from typing import Any, Final

from tests.support.vectors.good import MD5, claims, report
from tests.support.vectors.keys import compact, seal

LEAVES: Final = (
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
    "70",
)
ROOTS: Final = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
NONCE: Final = hashlib.sha256(b"Tocsin test vectors, nonce").digest()
JWS: Final = seal(compact(claims("logged", "report", report(), MD5)))
ENTRY: Final = (
    '{"commitment":"%s","community":"%s","kind":"%s","recorded_at":"%s"}'  # ascending: "commi" before "commu"
)
SHORT: Final = ENTRY % ("0" * 64, "a", "report", "1970-01-01T00:00:00Z")


def _ninth_root() -> str:
    leaf = hashlib.sha256(b"\x00" + bytes.fromhex(LEAVES[8])).digest()
    return hashlib.sha256(b"\x01" + bytes.fromhex(ROOTS[8]) + leaf).hexdigest()


def _entries() -> list[dict[str, Any]]:
    commitment = hmac.new(NONCE, JWS.encode(), "sha256").hexdigest()
    found = []
    for community, kind, at, text in (
        ("child-safety", "report", 1795305600, "2026-11-22T00:00:00Z"),
        ("ncii", "sighting", 1795305601, "2026-11-22T00:00:01Z"),
        ("a", "dispute", 0, "1970-01-01T00:00:00Z"),
        ("0" * 63, "retraction", 253402300799, "9999-12-31T23:59:59Z"),
        ("a-b", "outcome", 1709210096, "2024-02-29T12:34:56Z"),
        ("z9", "expiry", 951782400, "2000-02-29T00:00:00Z"),
    ):
        entry = ENTRY % (commitment, community, kind, text)
        found.append(
            {
                "entry": entry,
                "community": community,
                "kind": kind,
                "recorded_at": at,
                "commitment": commitment,
            }
        )
    return found


def _refused() -> list[dict[str, str]]:
    return [
        {"why": why, "entry": entry}
        for why, entry in (
            ("empty", ""),
            ("white space", SHORT.replace(":", ": ", 1)),
            ("community first", SHORT.replace('"community":"a",', "").replace("{", '{"community":"a",')),
            ("a member more", SHORT.replace("}", ',"note":"x"}')),
            ("a member less", SHORT.replace('"kind":"report",', "")),
            ("a line feed behind", SHORT + "\n"),
            ("upper-case commitment", SHORT.replace("0" * 64, "AB" * 32)),
            ("short commitment", SHORT.replace("0" * 64, "0" * 63)),
            ("unknown kind", SHORT.replace("report", "rumour")),
            ("community with a slash", SHORT.replace('"a"', '"a/b"')),
            ("community of 64 characters", SHORT.replace('"a"', f'"{"a" * 64}"')),
            ("no such day", SHORT.replace("1970-01-01", "2026-02-30")),
            ("no such hour", SHORT.replace("T00:", "T24:")),
            ("another time zone", SHORT.replace("Z", "+00:00")),
            ("fractions of a second", SHORT.replace("00Z", "00.5Z")),
        )
    ]


def _framed(entries: list[str]) -> str:
    return "".join((len(entry).to_bytes(2) + entry.encode()).hex() for entry in entries)


def _bundles() -> list[dict[str, Any]]:
    lists = [[], [SHORT], [entry["entry"] for entry in _entries()]]
    return [{"entries": entries, "bundle_hex": _framed(entries)} for entries in lists]


def document() -> dict[str, Any]:
    whole = _framed([SHORT])
    indexes = [[3], [0, 1], [7, 8, 255, 256, 70000, 2**40]]
    return {
        "says": "Commitment: HMAC-SHA256(r, jws). Bundles and their paths: C2SP tlog-tiles. Roots: RFC 6962 §2.1.",
        "commitments": [
            {
                "r": NONCE.hex(),
                "jws": JWS,
                "commitment": hmac.new(NONCE, JWS.encode(), "sha256").hexdigest(),
            }
        ],
        "entries": _entries(),
        "refused_entries": _refused(),
        "bundles": _bundles(),
        "refused_bundles": [
            {"why": "cut off in the entry", "bundle_hex": whole[:-2]},
            {"why": "cut off in the length", "bundle_hex": whole + "00"},
            {"why": "no entry behind the length", "bundle_hex": "0001"},
        ],
        "paths": [
            {"index": index, "width": width, "path": path}
            for index, width, path in (
                (0, 256, "tile/entries/000"),
                (0, 1, "tile/entries/000.p/1"),
                (7, 255, "tile/entries/007.p/255"),
                (999, 256, "tile/entries/999"),
                (1000, 256, "tile/entries/x001/000"),
                (1234067, 256, "tile/entries/x001/x234/067"),
                (1234067, 8, "tile/entries/x001/x234/067.p/8"),
            )
        ],
        "roots": [
            {"leaves_hex": list(LEAVES[:size]), "root": root}
            for size, root in enumerate((*ROOTS, _ninth_root()))
        ],
        "expiry_roots": [{"seqs": seqs, "root": _expiry_root(seqs)} for seqs in indexes],
    }


def _expiry_root(seqs: list[int]) -> str:
    """RFC 6962 §2.1 word by word, over the indexes as 8 bytes each, big-endian."""
    if len(seqs) == 1:
        return hashlib.sha256(b"\x00" + seqs[0].to_bytes(8)).hexdigest()
    split = 1
    while split * 2 < len(seqs):
        split *= 2
    left, right = bytes.fromhex(_expiry_root(seqs[:split])), bytes.fromhex(_expiry_root(seqs[split:]))
    return hashlib.sha256(b"\x01" + left + right).hexdigest()
