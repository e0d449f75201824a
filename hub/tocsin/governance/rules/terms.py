"""What an applicant declares to have read: two texts, each named by the SHA-256 of its words.

Whoever reads an application's answer later can tell which words were meant: a hub of one version serves one text.
"""

import hashlib
from collections.abc import Mapping
from typing import Final, NamedTuple


class Terms(NamedTuple):
    """A text: its title, what it is for in a sentence or two, and its clauses."""

    title: str
    purpose: str
    clauses: tuple[str, ...]

    @property
    def digest(self) -> str:
        """The SHA-256 of title, purpose and clauses, a line each, in UTF-8."""
        return hashlib.sha256("\n".join((self.title, self.purpose, *self.clauses)).encode()).hexdigest()


def _terms(title: str, text: str) -> Terms:
    purpose, *clauses = (" ".join(part.split()) for part in text.strip().split("\n\n"))
    return Terms(title, purpose, tuple(clauses))


_ANTITRUST: Final = """
Members of a hub compete with each other elsewhere. Here they do one thing together: they keep abuse from
spreading.

What is exchanged are signed signals about abuse, and what is needed to check, dispute and correct them.

Nothing is said, here or beside it, about prices, costs, customers, suppliers, wages, bids, market shares or
plans for products.

Each member decides alone what it does on the strength of a signal, and whom it serves. Nobody promises
anybody to refuse, drop or block somebody, and the hub orders nothing.

Whoever meets the published criteria can become a member. That an applicant competes with a member is no
ground to refuse it, to delay it or to vote against it; whoever gains by a decision says so and does not
vote.

Who sees a discussion leave this ground ends it, and tells the chair of the board.
"""

_CONDUCT: Final = """
A false report can wreck a life, and a late one can cost one. Whoever signs a signal here keeps to this.

We report what we have found ourselves and checked as our signal says, and as soon as we have.

We send hashes and the words of the vocabulary: no content, no prompt, no name, no address, no free text.

No account is ended by a machine on the strength of a signal. A person looks first.

What turns out to be wrong we retract at once, whoever finds out. We answer disputes, and undo on our side
what the hub has corrected.

We keep to the mark and the community of a signal, and pass nothing on beyond them.

We do not ask the hub for what we have no reason to know, and do not try to find out who is behind a token.

Keys stay where only those who sign with them can use them. A key that may be lost is revoked the same hour.

Nobody is worse off with us because they disputed a signal, appealed a decision, or pointed out an error.

We act for no government and no authority here, and tell the board when our owner changes.
"""

TERMS: Final[Mapping[str, Terms]] = {
    "antitrust": _terms("Antitrust statement", _ANTITRUST),
    "conduct": _terms("Code of conduct", _CONDUCT),
}
"""By the question of the application form that asks about it."""
