"""The floors: bare work that no hub can do without, measured beside it."""

import multiprocessing
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tocsin_schemas.envelope import decode
from tocsin_schemas.jwk import PublicKey

CORES = os.cpu_count() or 1


def bare_verification(tokens: Sequence[bytes], key: PublicKey) -> float:
    """Seconds to verify the signatures of `tokens` with `cryptography`, one process per core, and nothing else.

    The messages and signatures are cut out beforehand; the time is that of the slowest process, without its start.
    """
    share = -(-len(tokens) // CORES)
    parts = [tokens[at : at + share] for at in range(0, len(tokens), share)]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(len(parts), mp_context=context) as pool, context.Manager() as manager:
        barrier = manager.Barrier(len(parts))
        return max(pool.map(_verify, parts, [key.raw] * len(parts), [barrier] * len(parts)))


def _verify(tokens: Sequence[bytes], raw: bytes, barrier: "multiprocessing.synchronize.Barrier") -> float:
    key = Ed25519PublicKey.from_public_bytes(raw)
    cut = []
    for token in tokens:
        message, _, signature = token.rpartition(b".")
        cut.append((decode(signature, "signature"), message))
    barrier.wait()
    begun = time.perf_counter()
    for signature, message in cut:
        key.verify(signature, message)
    return time.perf_counter() - begun
