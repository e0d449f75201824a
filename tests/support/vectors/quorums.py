"""Log policies (C2SP tlog-policy) and log proofs (C2SP tlog-proof), written by hand."""

from itertools import combinations
from typing import Any, Final

from tests.support.vectors.heads import (
    AT,
    EIGHT,
    LOG,
    ORIGIN,
    OTHER_LOG,
    W1,
    W2,
    W3,
    W3_LINE,
    Key,
    b64,
    cosigned,
    head,
    note,
    signed,
    vkey,
)
from tests.support.vectors.trees import EIGHT as LEAVES
from tests.support.vectors.trees import path

X: Final = tuple(Key(f"x{number}.example", 4) for number in (1, 2, 3))
Y: Final = tuple(Key(f"y{number}.example", 4) for number in (1, 2, 3))
LAYERED: Final = "".join(
    (
        f"# Two organisations, as in the specification\n\nlog {LOG.vkey}\n",
        *(f"witness X{number} {key.vkey}\n" for number, key in enumerate(X, 1)),
        "group X-witnesses 2 X1 X2 X3\n",
        *(f"witness Y{number} {key.vkey}\n" for number, key in enumerate(Y, 1)),
        "group Y-witnesses any Y1 Y2 Y3\n",
        "group X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n",
    )
)
ONE: Final = f"witness a {W1.vkey}\n"
TWO: Final = f"{ONE}witness b {W2.vkey}\n"
TWICE: Final = note(EIGHT, signed(EIGHT), cosigned(EIGHT, W1), cosigned(EIGHT, W2, AT + 1))
POLICY: Final = f"log {LOG.vkey}\n{TWO}witness c {W3.vkey}\ngroup all-but-one 2 a b c\nquorum all-but-one\n"


def _layered() -> list[list[str]]:
    """Every set of the example's witnesses that makes its quorum: two of X and one of Y."""
    names = [f"{letter}{number}" for letter in "XY" for number in (1, 2, 3)]
    return [
        list(chosen)
        for size in range(7)
        for chosen in combinations(names, size)
        if sum(name[0] == "X" for name in chosen) >= 2 and any(name[0] == "Y" for name in chosen)
    ]


def _accepted() -> list[dict[str, Any]]:
    many = [Key(f"w{number}.example", 4) for number in range(32)]
    chained = "".join(
        f"witness w{number} {key.vkey}\ngroup g{number} {'any' if number % 2 else 'all'} w{number}"
        f"{f' g{number - 1}' if number else ''}\n"
        for number, key in enumerate(many)
    )
    return [
        {"policy": "quorum none\n", "logs": [], "witnesses": [], "enough": [[]]},
        {"policy": "quorum none", "logs": [], "witnesses": [], "enough": [[]]},
        {
            "policy": f"\n  # a comment\n\tlog \t {LOG.vkey}\thttps://{ORIGIN}/ \n{ONE}\n quorum  a \n# end",
            "logs": [[ORIGIN, f"https://{ORIGIN}/"]],
            "witnesses": [["a", W1.name, None]],
            "enough": [["a"]],
        },
        {
            "policy": f"witness none. {W1.vkey} url\nquorum none.\nlog {LOG.vkey}\nlog {OTHER_LOG.vkey}\n",
            "logs": [[ORIGIN, None], [OTHER_LOG.name, None]],
            "witnesses": [["none.", W1.name, "url"]],
            "enough": [["none."]],
        },
        {
            "policy": LAYERED,
            "logs": [[ORIGIN, None]],
            "witnesses": [
                [f"{letter}{number}", f"{letter.lower()}{number}.example", None]
                for letter in "XY"
                for number in (1, 2, 3)
            ],
            "enough": _layered(),
        },
        {
            "policy": f"{TWO}group g all a b\nquorum b\n",
            "logs": [],
            "witnesses": [["a", W1.name, None], ["b", W2.name, None]],
            "enough": [["b"], ["a", "b"]],
        },
        {
            "policy": f"{chained}quorum g31\n",
            "logs": [],
            "witnesses": [[f"w{number}", key.name, None] for number, key in enumerate(many)],
            "enough": None,
        },
    ]


def _refused() -> list[dict[str, Any]]:
    return [
        {"why": why, "policy": policy, "field": field, "code": "policy-malformed"}
        for why, field, policy in (
            ("nothing", "policy", ""),
            ("no quorum", "policy", f"log {LOG.vkey}\n"),
            ("two quorums", "policy.line.2", "quorum none\nquorum none\n"),
            ("two names of a quorum", "policy.line.3", f"{TWO}quorum a b\n"),
            ("no name of a quorum", "policy.line.1", "quorum\n"),
            ("a quorum not defined", "policy.line.1", "quorum a\n"),
            ("a quorum defined behind", "policy.line.1", f"quorum a\n{ONE}"),
            ("an unknown word", "policy.line.1", "mirror a\nquorum none\n"),
            ("a capital", "policy.line.1", "Quorum none\n"),
            ("a comment behind", "policy.line.1", "quorum none # really\n"),
            ("a carriage return", "policy.line.1", "quorum none\r\n"),
            ("a zero byte", "policy.line.2", "\nquorum none\0\n"),
            ("a form feed", "policy.line.1", "quorum\fnone\n"),
            ("no key of a log", "policy.line.1", "log\nquorum none\n"),
            ("a log with two URLs", "policy.line.1", f"log {LOG.vkey} a b\nquorum none\n"),
            ("a log with a name", "policy.line.1", f"log a {LOG.vkey}\nquorum none\n"),
            (
                "a log's key of a wrong id",
                "policy.line.1",
                f"log {LOG.vkey.replace('hub', 'hob')}\nquorum none\n",
            ),
            ("an Ed25519 cosigner for a log", "policy.line.1", f"log {W1.vkey}\nquorum none\n"),
            ("a log twice", "policy.line.2", f"log {LOG.vkey}\nlog {LOG.vkey} url\nquorum none\n"),
            (
                "a log's key under two names",
                "policy.line.2",
                f"log {LOG.vkey}\nlog {_renamed(LOG)}\nquorum none\n",
            ),
            ("a witness without a key", "policy.line.1", "witness a\nquorum none\n"),
            ("a witness with two URLs", "policy.line.1", f"witness a {W1.vkey} u v\nquorum none\n"),
            ("a log's key for a witness", "policy.line.1", f"witness a {LOG.vkey}\nquorum none\n"),
            ("a witness's key twice", "policy.line.2", f"{ONE}witness b {W1.vkey}\nquorum none\n"),
            (
                "a witness's key under two names",
                "policy.line.2",
                f"{ONE}witness b {_renamed(W1)}\nquorum none\n",
            ),
            ("a witness's name twice", "policy.line.2", f"{ONE}witness a {W2.vkey}\nquorum none\n"),
            ("a witness of the name none", "policy.line.1", f"witness none {W1.vkey}\nquorum none\n"),
            ("a group of the name none", "policy.line.2", f"{ONE}group none all a\nquorum none\n"),
            ("a group of a witness's name", "policy.line.2", f"{ONE}group a all a\nquorum none\n"),
            ("a group without members", "policy.line.2", f"{ONE}group g all\nquorum none\n"),
            ("a member not defined", "policy.line.2", f"{ONE}group g all a b\nquorum none\n"),
            ("a member defined behind", "policy.line.1", f"group g all a\n{ONE}quorum none\n"),
            ("a group in itself", "policy.line.2", f"{ONE}group g all a g\nquorum none\n"),
            ("a member twice", "policy.line.2", f"{ONE}group g all a a\nquorum none\n"),
            ("a member of two groups", "policy.line.3", f"{ONE}group g all a\ngroup h all a\nquorum none\n"),
            ("none for a member", "policy.line.2", f"{ONE}group g any a none\nquorum none\n"),
            ("a threshold of 0", "policy.line.2", f"{ONE}group g 0 a\nquorum none\n"),
            ("a threshold out of reach", "policy.line.3", f"{TWO}group g 3 a b\nquorum none\n"),
            ("a threshold with a zero", "policy.line.2", f"{ONE}group g 01 a\nquorum none\n"),
            ("a threshold below zero", "policy.line.2", f"{ONE}group g -1 a\nquorum none\n"),
            ("a threshold in words", "policy.line.2", f"{ONE}group g one a\nquorum none\n"),
        )
    ]


def _renamed(key: Key) -> str:
    """The same key under another name."""
    return vkey(f"{key.name}-2", key.kind, key.public)


def policies_document() -> dict[str, Any]:
    return {
        "says": (
            "C2SP tlog-policy. `logs`: origin and URL; `witnesses`: name, the name of its key, URL; `enough`: every "
            "set of witnesses that makes the quorum, null where they are too many. Refused with `code` at `field`."
        ),
        "policies": _accepted(),
        "refused": _refused(),
    }


def _proof(index: int = 4, size: int = 8, extra: bytes | None = None, raw: str = TWICE) -> str:
    lines = ["c2sp.org/tlog-proof@v1"]
    if extra is not None:
        lines.append(f"extra {b64(extra)}")
    lines += [f"index {index}", *map(b64, path(index, LEAVES[:size])), "", ""]
    return "\n".join(lines) + raw


def proofs_document() -> dict[str, Any]:
    good = _proof()
    lines = good.split("\n")
    one = note(head(1), signed(head(1)), cosigned(head(1), W1), cosigned(head(1), W2))
    too_few = note(EIGHT, signed(EIGHT), cosigned(EIGHT, W1))
    twice = note(EIGHT, signed(EIGHT), cosigned(EIGHT, W1), cosigned(EIGHT, W1, AT + 1))
    ahead = note(EIGHT, signed(EIGHT), cosigned(EIGHT, W1, AT + 61), W3_LINE)
    long = "\n".join([lines[0], lines[1], *[lines[2]] * 64, *lines[5:]])
    return {
        "says": (
            "C2SP tlog-proof. Verify `proof` for the entry `leaf_hex`, a leaf of trees.json, under `policy` at `now`: "
            "accepted at `index` in the tree of `size`, or refused with `code`."
        ),
        "policy": POLICY,
        "now": AT,
        "proofs": [
            {
                "proof": proof,
                "leaf_hex": LEAVES[index].hex(),
                "index": index,
                "size": size,
                "extra_hex": extra,
            }
            for proof, index, size, extra in (
                (good, 4, 8, None),
                (_proof(0, extra=b"what it is"), 0, 8, b"what it is".hex()),
                (_proof(7, extra=b""), 7, 8, ""),
                (_proof(0, 1, raw=one), 0, 1, None),
                (_proof(raw=note(EIGHT, cosigned(EIGHT, W2, 0), signed(EIGHT), W3_LINE)), 4, 8, None),
            )
        ],
        "refused": [
            {"why": why, "proof": proof, "leaf_hex": LEAVES[leaf].hex(), "code": code}
            for why, proof, leaf, code in (
                ("nothing", "", 4, "proof-malformed"),
                ("another version", good.replace("@v1", "@v2"), 4, "proof-malformed"),
                ("no first line", good.partition("\n")[2], 4, "proof-malformed"),
                ("no empty line", good.replace("\n\n", "\n"), 4, "proof-malformed"),
                ("no index", good.replace(lines[1] + "\n", ""), 4, "proof-malformed"),
                ("nothing but the first line", f"{lines[0]}\n\n{TWICE}", 4, "proof-malformed"),
                (
                    "extra behind the index",
                    good.replace("index 4", "index 4\nextra AAAA"),
                    4,
                    "proof-malformed",
                ),
                (
                    "extra twice",
                    good.replace("index 4", "extra AAAA\nextra AAAA\nindex 4"),
                    4,
                    "proof-malformed",
                ),
                (
                    "extra that is no base64",
                    good.replace("index 4", "extra !\nindex 4"),
                    4,
                    "proof-malformed",
                ),
                ("an index with a zero", good.replace("index 4", "index 04"), 4, "proof-malformed"),
                ("a negative index", good.replace("index 4", "index -4"), 4, "proof-malformed"),
                ("an index of 2^63", good.replace("index 4", f"index {2**63}"), 4, "proof-malformed"),
                ("a hash cut short", good.replace(lines[2], b64(bytes(31))), 4, "proof-malformed"),
                ("a hash that is none", good.replace(lines[2], "path"), 4, "proof-malformed"),
                ("carriage returns", good.replace("\n", "\r\n"), 4, "proof-malformed"),
                ("64 hashes", long, 4, "proof-malformed"),
                ("another entry", good, 5, "inclusion-invalid"),
                ("another index", good.replace("index 4", "index 5"), 4, "inclusion-invalid"),
                ("an index beyond the tree", good.replace("index 4", "index 8"), 4, "inclusion-invalid"),
                ("a hash less", good.replace(lines[2] + "\n", "", 1), 4, "inclusion-invalid"),
                ("an edited hash", good.replace(lines[2], b64(bytes(32)), 1), 4, "inclusion-invalid"),
                ("the head of another tree", _proof(raw=one), 4, "inclusion-invalid"),
                ("one witness of two", _proof(raw=too_few), 4, "quorum-missing"),
                ("the same witness twice", _proof(raw=twice), 4, "quorum-missing"),
                ("a cosignature from the future", _proof(raw=ahead), 4, "quorum-missing"),
                (
                    "no signature of the log",
                    _proof(raw=note(EIGHT, cosigned(EIGHT, W1), W3_LINE)),
                    4,
                    "checkpoint-unsigned",
                ),
                ("no note", _proof(raw="nothing"), 4, "note-malformed"),
            )
        ],
    }
