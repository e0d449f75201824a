"""The problem registry: every reason for which a Tocsin service refuses something (RFC 9457).

A problem names a code, the field it is about and a reason. It never repeats the offending value: a value pasted
into the wrong field may be exactly what the hub must not hold.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

TYPE_PREFIX: Final = "urn:tocsin:problem:"
MEDIA_TYPE: Final = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Problem:
    """One registered problem type: `status` is the HTTP status, `help` says what the caller can do next."""

    code: str
    status: int
    title: str
    help: str

    @property
    def type(self) -> str:
        """The `type` URI of RFC 9457 §3.1.1."""
        return TYPE_PREFIX + self.code


class Refused(Exception):
    """Something was refused: `code` from the registry, the `field` it is about, and a reason without values."""

    def __init__(
        self, code: str, field: str = "", reason: str = "", *, retry_after: int | None = None
    ) -> None:
        super().__init__(f"{code}: {field}: {reason}" if field else f"{code}: {reason}")
        self.code = code
        self.field = field
        self.reason = reason
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[Any, ...]:
        # Refusals cross process borders: rebuild from the parts, not from the message.
        return (_rebuild, (self.code, self.field, self.reason, self.retry_after))


def _rebuild(code: str, field: str, reason: str, retry_after: int | None) -> Refused:
    return Refused(code, field, reason, retry_after=retry_after)


def document(code: str, field: str = "", reason: str = "") -> dict[str, Any]:
    """The RFC 9457 object for a registered code, with our extension members `code` and `field`."""
    problem = REGISTRY[code]
    body: dict[str, Any] = {
        "type": problem.type,
        "title": problem.title,
        "status": problem.status,
        "code": code,
    }
    if field:
        body["field"] = field
    if reason:
        body["detail"] = reason
    return body


def _registry(*problems: Problem) -> Mapping[str, Problem]:
    return {problem.code: problem for problem in problems}


REGISTRY: Final[Mapping[str, Problem]] = _registry(
    # The envelope: bytes, header, key. In the order in which the gate checks them.
    Problem("envelope-too-large", 413, "The signal is larger than 8 KiB", "Split it, or send fewer aliases."),
    Problem(
        "envelope-malformed", 422, "Not a compact JWS", "Send header.payload.signature, nothing around it."
    ),
    Problem("base64-padding", 422, "Base64url with padding", "Remove every '=' (RFC 7515 §2)."),
    Problem(
        "base64-not-canonical", 422, "Base64url is not canonical", "Leave no stray bits and no white space."
    ),
    Problem("json-duplicate-key", 422, "A JSON object names a member twice", "Send each member once."),
    Problem("json-invalid", 422, "Not a JSON object in ASCII", "Encode the claims as one JSON object."),
    Problem(
        "header-member-unknown", 422, "A header member is not allowed", "Send typ, alg and kid, no others."
    ),
    Problem("header-crit", 422, "The header asks for critical extensions", "Remove crit; none is supported."),
    Problem("typ-mismatch", 422, "This token is of another type", "A signal has typ secevent+jwt."),
    Problem("alg-none", 422, "The signal is not signed", "Sign it with Ed25519 or ES256."),
    Problem("alg-not-allowed", 422, "The signature algorithm is not allowed", "Sign with Ed25519 or ES256."),
    Problem("alg-key-mismatch", 422, "The algorithm does not fit the key", "Use the algorithm of the key."),
    Problem(
        "key-unknown", 422, "No such key of this author", "Check the kid; ask the hub to register the key."
    ),
    Problem("signature-invalid", 422, "The signature does not verify", "Sign the exact bytes you send."),
    Problem("issuer-mismatch", 422, "The issuer is not the owner of the key", "Set iss to your own issuer."),
    Problem("key-revoked", 422, "The key was revoked", "Sign with a key that is in force."),
    Problem("key-expired", 422, "The key had expired when the signal was issued", "Register a new key."),
    Problem("key-not-yet-valid", 422, "The key was not yet in force", "Wait, or sign with the current key."),
    Problem("claim-invalid", 422, "A claim does not fit the schema", "See the JSON Schema of the event."),
    Problem(
        "claim-unknown", 422, "A member is not part of the schema", "Remove it; no free text is accepted."
    ),
    Problem("claim-missing", 422, "A required claim is missing", "See the JSON Schema of the event."),
    Problem("event-unknown", 422, "The event is not one this hub accepts", "Send exactly one known event."),
    Problem("indicator-type-unknown", 422, "Unknown indicator type", "See the list of types in the docs."),
    Problem(
        "indicator-invalid", 422, "The indicator is not in canonical form", "Fix the value; see the reason."
    ),
    Problem(
        "indicator-family-mixed", 422, "The aliases are not of one family", "Report different things apart."
    ),
    Problem("label-unknown", 422, "The label is not in a loaded pack", "Use a label of a pack in force."),
    # Admission: time, audience, rules.
    Problem(
        "audience-unknown", 422, "The audience is not a community here", "Set aud to the community's URL."
    ),
    Problem(
        "audience-forbidden", 403, "You may not write to this community", "Ask the hub for write access."
    ),
    Problem(
        "iat-future", 422, "The signal is issued in the future", "Set your clock; up to 60 s are allowed."
    ),
    Problem("iat-too-old", 422, "The signal is older than 300 s", "Sign it again; live signals are fresh."),
    Problem(
        "toe-invalid", 422, "The time of the event does not fit", "It must be past, and recent by policy."
    ),
    Problem("valid-until-past", 422, "The signal has already expired", "Choose a later valid_until."),
    Problem(
        "source-restricted", 422, "The hash comes from a licensed list", "An agreement must be on record."
    ),
    Problem("jti-reused", 409, "This jti was used for another signal", "Draw a new random jti."),
    Problem(
        "renewal-without-evidence", 409, "You have reported this already", "Send a sighting or new evidence."
    ),
    Problem("renewals-exhausted", 409, "You have renewed this as often as you may", "Let a report run out."),
    Problem("dispute-repeated", 409, "You dispute this already", "Nothing to do: your dispute stands."),
    Problem("statement-unknown", 422, "No such live statement of yours", "Check its id in your receipt."),
    Problem("statement-gone", 410, "The signal was recorded and is gone", "Nothing to do: it was withdrawn."),
    Problem("indicator-unknown", 422, "Nobody has reported this indicator", "Report it, or check the value."),
    # The public log and its proofs: what a follower, a witness or a monitor refuses.
    Problem("note-malformed", 422, "Not a signed note", "Send the note's bytes as they were served."),
    Problem(
        "checkpoint-malformed", 422, "The note is not a checkpoint", "Its text is origin, size and root."
    ),
    Problem("checkpoint-unsigned", 422, "No known key of the log signed this", "Check which log you trust."),
    Problem("checkpoint-stale", 422, "No fresh cosignature on the checkpoint", "Fetch it again later."),
    Problem("quorum-missing", 422, "Too few witnesses cosigned the checkpoint", "Fetch it again later."),
    Problem("policy-malformed", 422, "Not a log policy", "See C2SP tlog-policy; the reason names the line."),
    Problem("proof-malformed", 422, "Not a log proof", "Send the proof's bytes as they were served."),
    Problem("inclusion-invalid", 422, "The proof does not lead to the root", "Ask the hub for a new proof."),
    Problem(
        "consistency-invalid", 422, "The new log does not continue the old one", "Keep both checkpoints."
    ),
    Problem(
        "log-tile-mismatch", 422, "A tile does not belong to the log", "Fetch it again; else tell others."
    ),
    Problem("log-rolled-back", 409, "The log is shorter than it was", "Keep both checkpoints; tell others."),
    Problem("log-forked", 409, "Two checkpoints of the log contradict each other", "Keep both; tell others."),
    # Witnessing the logs of others (C2SP tlog-witness, which fixes the statuses).
    Problem("submission-malformed", 400, "Not an add-checkpoint request", "See C2SP tlog-witness."),
    Problem("log-unsigned", 403, "Not signed by a key of that log", "Check the log's key with the operator."),
    Problem("log-unknown", 404, "This witness does not watch that log", "Ask its operator to add the log."),
    # Snapshots: what a client refuses of its files, and what a hub no longer has.
    Problem("snapshot-malformed", 422, "Not a file of a snapshot", "Fetch it again; see PROTOCOL §10."),
    Problem(
        "snapshot-mismatch", 422, "The snapshot is not the one signed", "Fetch it again; else tell others."
    ),
    Problem(
        "snapshot-superseded", 410, "That version is no longer kept", "Fetch the manifest again and go on."
    ),
    # People in the console.
    Problem("signed-out", 401, "You are not signed in", "Sign in, then try again."),
    Problem(
        "sign-in-refused", 401, "You could not be signed in", "Try again, or ask the operator for a link."
    ),
    Problem(
        "sign-in-again", 403, "You signed in too long ago", "Sign out, sign in again, and do it at once."
    ),
    Problem("role-missing", 403, "Your role does not allow this", "Ask somebody whose task it is."),
    Problem("forbidden-person", 403, "Not a person you may do this for", "Ask the hub's operator."),
    Problem("passkey-needed", 403, "This needs your passkey", "Sign out, and sign in with your passkey."),
    Problem(
        "passkey-unseated",
        403,
        "The roster names another key for your seat",
        "Sign in with it if it is a passkey; use tocsin board if it is kept offline. The next roster can name this.",
    ),
    Problem("approval-needed", 403, "Approve this with your passkey", "Nothing has been done yet."),
    Problem("purpose-needed", 403, "Say first why you read this", "Choose a purpose; the read is logged."),
    Problem(
        "origin-mismatch", 403, "The form came from somewhere else", "Open the page here and send it again."
    ),
    Problem(
        "form-token-invalid", 403, "The form is not yours or too old", "Open the page again and repeat it."
    ),
    Problem(
        "link-invalid", 410, "The link was used or has expired", "Ask for a new one; it lasts 15 minutes."
    ),
    Problem("code-wrong", 422, "Not the code of this moment", "Wait for the next code of your device."),
    Problem("challenge-invalid", 422, "The page is too old or used", "Open the page again and repeat it."),
    Problem(
        "credential-unknown", 422, "Not a passkey that may sign here", "Choose another of your passkeys."
    ),
    Problem("credential-cloned", 403, "The passkey may have been copied", "Use another; tell the operator."),
    Problem(
        "assertion-invalid", 422, "The passkey's answer does not verify", "Open the page again and repeat."
    ),
    Problem(
        "assertion-unverified-user",
        422,
        "The authenticator did not ask who you are",
        "Use one that asks for a PIN, a finger or a face.",
    ),
    Problem(
        "provider-refused", 401, "The OpenID provider's answer does not hold", "Try again from the start."
    ),
    Problem(
        "provider-unavailable", 503, "The OpenID provider does not answer", "Try again, or another way in."
    ),
    # The governance chain: what replaying it refuses (`tocsin_schemas.chain`).
    Problem("record-malformed", 422, "Not a record of the chain", "Send its canonical form, byte for byte."),
    Problem("record-skipped", 422, "A record is missing before this one", "Fetch the whole chain."),
    Problem("record-repeated", 422, "The chain has such a record already", "Go on with the next record."),
    Problem("record-prev-mismatch", 422, "The record follows another one", "Keep both; tell others."),
    Problem("record-time-reversed", 422, "The record is older than the last", "Keep it; tell others."),
    Problem("genesis-missing", 422, "The chain has no genesis", "A chain begins with record 0."),
    Problem("genesis-mismatch", 422, "Not the genesis that is pinned", "Check which hub you trust."),
    Problem("clock-not-due", 422, "The calendar does not say so", "Compute what is due again."),
    # Its decisions.
    Problem("decision-repeated", 409, "That decision is recorded already", "Nothing to do."),
    Problem("decision-prev-unknown", 422, "The decision opened on another chain", "Open it again."),
    Problem("decision-window", 422, "Not the time that such a ballot has", "The policy in force says it."),
    Problem("decision-expired", 422, "Recorded too long after its ballot", "Move it again."),
    Problem("decision-altered", 422, "Signed for a decision that reads otherwise", "Vote on this one."),
    Problem("threshold-mismatch", 422, "Not the rule of such a decision", "Each kind has its own rule."),
    Problem("result-mismatch", 422, "The count is another", "Count the ballots again."),
    Problem("subject-unknown", 422, "The decision is about no member", "Check the issuer."),
    Problem("community-unknown", 422, "Not a community here", "Open it by a decision first."),
    Problem("transition-forbidden", 409, "A requirement is missing", "The reason names it."),
    Problem("suspension-length", 422, "Not a time to suspend for", "180 days are the most."),
    Problem("policy-version", 409, "Not the next version of the policy", "Begin from the one in force."),
    Problem("policy-agreements", 422, "An agreement is not on record", "Record it by a decision first."),
    Problem("sponsors-missing", 422, "An admission names two sponsors", "Or none, in a hub being founded."),
    Problem("sponsors-ineligible", 422, "That member may not sponsor here", "Ask an active, unrelated one."),
    Problem("sponsors-related", 422, "The sponsors have one owner", "Ask two unrelated members."),
    Problem(
        "owner-mismatch", 409, "Its seat is held under another owner", "One organisation has one owner here."
    ),
    Problem("key-in-use", 409, "The key is somebody's already", "Make a new key for each member."),
    Problem("key-unproven", 422, "The new key does not say whose it is", "Sign its proof with that key."),
    Problem("vetting-incomplete", 409, "Vetting is not complete", "Two people have to pass each item."),
    Problem("checker-related", 403, "The checker is of the applicant's owner", "Ask somebody unrelated."),
    Problem("checker-repeated", 409, "That person has checked this already", "Another one has to check it."),
    Problem("appeal-impossible", 422, "That decision cannot be appealed", "It took nothing away."),
    Problem("appeal-late", 422, "The appeal came too late", "Thirty days are given."),
    Problem("appeal-repeated", 409, "That appeal has been decided", "Each decision has one appeal."),
    Problem("appeal-moot", 409, "Something else was decided since", "Appeal against that."),
    # Its roster and ballots.
    Problem("roster-invalid", 422, "Not a roster that can follow", "The reason says what is missing."),
    Problem("roster-mismatch", 409, "Another roster is in force now", "Open the ballot again."),
    Problem("roster-expired", 409, "The roster has expired", "Put the next one in force first."),
    Problem("recusal-missing", 422, "A seat that must be recused is not", "Open the ballot again."),
    Problem("recusal-mismatch", 422, "The recusals do not hold", "Each needs its reason; open it again."),
    Problem("ballot-invalid", 422, "The ballot does not hold", "Vote again, with the key of your seat."),
    Problem("ballot-unverified-user", 422, "The passkey did not verify its user", "Unlock it to vote."),
    Problem("ballot-credential-unknown", 422, "Not a key of that seat", "Vote with a key in the roster."),
    Problem("ballot-seat-unknown", 422, "The decision does not ask that seat", "Nothing to do."),
    Problem("ballot-recused", 409, "The seat is recused", "Nothing to do: it has no vote on this."),
    Problem("ballot-duplicate", 409, "The seat has voted already", "Nothing to do: that vote stands."),
    Problem("ballot-late", 409, "The ballot is over", "Nothing to do: late votes do not count."),
    Problem("ballot-open", 409, "The ballot is not over", "Wait for its end, or for every vote."),
    Problem("ballot-replayed", 422, "Signed for another decision", "Vote on this one."),
    # Webhook requests, at the receiver.
    Problem(
        "webhook-malformed", 400, "Not a signed webhook request", "Pass headers and body on as they came."
    ),
    Problem("webhook-stale", 400, "The request is too old, or of the future", "Check the receiver's clock."),
    Problem(
        "webhook-signature-invalid",
        401,
        "The request is not signed by a known key",
        "Verify the raw body, with the secret or key of this very endpoint; after a rotation the new one.",
    ),
    Problem(
        "webhook-replayed", 409, "This message was handled before", "Nothing to do; answer it with a 2xx."
    ),
    Problem("webhook-busy", 409, "This message is being handled", "Nothing to do: the hub sends it again."),
    Problem("webhook-key-malformed", 422, "Not a webhook secret or key", "Copy it whole, prefix included."),
    # Webhook endpoints.
    Problem("endpoint-limit", 409, "No more endpoints", "Remove one that you do not need."),
    Problem(
        "endpoint-inactive", 409, "The endpoint is not active", "Activate it: it has to answer a challenge."
    ),
    Problem(
        "endpoint-unverified",
        422,
        "The endpoint did not answer the challenge",
        "Verify the request and answer 200 with the challenge, within 10 s.",
    ),
    Problem(
        "endpoint-rotating",
        409,
        "The secret was rotated less than a day ago",
        "Wait until the one before has ended, or say that it may end now.",
    ),
    # Addresses of others.
    Problem(
        "egress-refused",
        422,
        "Not an address that the hub calls",
        "Give https on port 443 of a host with a public name and public addresses.",
    ),
    # Requests.
    Problem("request-invalid", 400, "The request does not fit the interface", "See the OpenAPI document."),
    Problem("unauthenticated", 401, "Authentication is needed", "Send a valid access token as Bearer."),
    Problem("token-invalid", 401, "Not an access token of this hub", "Fetch one from the token endpoint."),
    Problem("token-wrong-type", 401, "This token is of another type", "Send an access token, typ at+jwt."),
    Problem("token-expired", 401, "The token has expired", "Fetch a new one from the token endpoint."),
    Problem(
        "token-revoked", 401, "The token was revoked", "Fetch a new one, if the client is still in force."
    ),
    Problem("forbidden", 403, "Not allowed with this token", "Ask for the scope that the operation needs."),
    Problem("member-suspended", 403, "The member is suspended", "Contact the hub's governance board."),
    Problem(
        "member-restricted",
        403,
        "The member may not do this in its state",
        "`tocsin hub` says what the state is; the hub's board can change it.",
    ),
    Problem(
        "membership-ended",
        403,
        "The membership has ended",
        "Whoever wants to come back applies again.",
    ),
    Problem(
        "decision-required",
        403,
        "Only the board can change this",
        "Move it; `tocsin-hub board show` tells how.",
    ),
    Problem(
        "board-absent", 404, "This hub has no board", "It is a sandbox, or its board is not founded yet."
    ),
    Problem("not-found", 404, "Not found", "Check the address; what you may not see is not shown."),
    Problem("method-not-allowed", 405, "Method not allowed", "See the Allow header."),
    Problem(
        "not-acceptable", 406, "No representation of that kind", "Ask for one that the interface offers."
    ),
    Problem("conflict", 409, "It does not fit what is there already", "Look at what exists, then decide."),
    Problem("payload-too-large", 413, "The request is too large", "Send at most 10,000 lines and 16 MiB."),
    Problem("unsupported-media-type", 415, "Unsupported content type", "Use one that the interface names."),
    Problem(
        "range-not-satisfiable",
        416,
        "The log has no such range yet",
        "Begin below the size in Content-Range.",
    ),
    Problem("rate-limited", 429, "Past your cap", "Wait as long as Retry-After says."),
    Problem("internal-error", 500, "Something went wrong here", "Tell the operator the request id."),
    Problem("not-yet-published", 503, "No checkpoint covers it yet", "Ask again after Retry-After."),
    Problem("log-halted", 503, "The log must not grow now", "Its operator has to act; try again later."),
    Problem("unavailable", 503, "The hub cannot answer now", "Try again in a moment; nothing was stored."),
)
"""Code to problem. Codes are never reused for another meaning."""
