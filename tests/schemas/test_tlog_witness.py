"""Requests to a witness: one spelling, and nothing but `submission-malformed` for anything else."""

import hashlib
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.witnessing.logs import Log, proof, request, stranger_line
from tocsin_schemas.notes import sign_note
from tocsin_schemas.problems import Refused
from tocsin_schemas.tlog_witness import (
    MAX_PROOF_LINES,
    MAX_REQUEST_BYTES,
    MAX_SIGNATURES,
    latest_path,
    parse_submission,
)

LOG = Log()
NOTE = LOG.note(9)


def test_a_request_is_read_and_written_alike() -> None:
    body = LOG.request(5, 9)
    submission = parse_submission(body)
    assert (submission.old, list(submission.proof)) == (5, proof(5, LOG.leaves[:9]))
    assert submission.checkpoint == LOG.head(9)
    assert submission.render() == body
    assert parse_submission(LOG.request(0, 9)).render() == LOG.request(0, 9)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 0\n",
        b"old 0\n\n",
        NOTE,
        b"old 0\n" + NOTE,
        b"old\n\n" + NOTE,
        b"old  0\n\n" + NOTE,
        b"Old 0\n\n" + NOTE,
        b"0\n\n" + NOTE,
        b"old 00\n\n" + NOTE,
        b"old 01\n\n" + NOTE,
        b"old -1\n\n" + NOTE,
        b"old +1\n\n" + NOTE,
        b"old 1.0\n\n" + NOTE,
        b"old \xd9\xa1\n\n" + NOTE,
        b"old 9223372036854775808\n\n" + NOTE,
        b"old 0\r\n\r\n" + NOTE,
        b"old 0 \n\n" + NOTE,
        b" old 0\n\n" + NOTE,
        request(5, [b"x" * 31], NOTE),
        request(5, [b"x" * 33], NOTE),
        request(5, [b""], NOTE),
        b"old 5\n" + b"A" * 44 + b"\n\n" + NOTE,
        b"old 5\n" + b"A" * 42 + b"B=\n\n" + NOTE,
        request(5, [b"x" * 32] * (MAX_PROOF_LINES + 1), NOTE),
        request(0, [], NOTE[:-1]),
        request(0, [], NOTE.replace(b"\n9\n", b"\n09\n")),
        request(0, [], NOTE.replace(b"\n9\n", b"\n-9\n")),
        request(0, [], sign_note("log.example/one\n9\n", LOG.signer)),
        request(0, [], NOTE + stranger_line(LOG.head(9)) * MAX_SIGNATURES),
    ],
)
def test_what_is_not_spelled_as_the_specification_says_is_malformed(body: bytes) -> None:
    with pytest.raises(Refused) as caught:
        parse_submission(body)
    assert caught.value.code == "submission-malformed"


def test_the_limits_themselves_are_taken() -> None:
    parse_submission(request(5, [b"x" * 32] * MAX_PROOF_LINES, NOTE))
    parse_submission(request(9223372036854775807, [], NOTE))
    parse_submission(request(0, [], NOTE + stranger_line(LOG.head(9)) * (MAX_SIGNATURES - 1)))


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_reading_never_fails_otherwise(junk: bytes) -> None:
    for body in (junk, b"old 0\n\n" + junk, b"old 0\n" + junk + b"\n\n" + NOTE):
        with suppress(Refused):
            parse_submission(body)


def test_a_request_of_every_limit_fits() -> None:
    body = request(9223372036854775807, [b"x" * 32] * MAX_PROOF_LINES, b"")
    assert len(body) + 256 * 1024 <= MAX_REQUEST_BYTES


def test_the_last_checkpoint_of_a_log_is_found_by_the_digest_of_its_origin() -> None:
    assert latest_path(LOG.origin) == f"/{hashlib.sha256(LOG.origin.encode()).hexdigest()}/checkpoint"
