"""An answer that is a run of stored segments, sent one behind the other as the bytes they are.

At most one of them is in memory for a caller, however many there are. Each is looked up only when the one before it has
gone out, so an erasure may have replaced it by then: the answer breaks off in that case, which its length gives away,
and whoever asks again is given rows.
"""

import hashlib
import logging
from collections.abc import Mapping

from fastapi import Response
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from tocsin.signals import coding
from tocsin.signals.coding import GZIP_FRAME_BYTES, GZIP_HEADER, Part
from tocsin.signals.service import feed
from tocsin.signals.service.context import Context
from tocsin.signals.service.feed import Page
from tocsin.web.coding import Coding
from tocsin_schemas.feed import FEED_MEDIA_TYPE

logger = logging.getLogger(__name__)


def entity_tag(page: Page, chosen: Coding) -> str:
    """The strong validator (RFC 9110 §8.8.3) of the segments of a page in one coding."""
    parts = [b"%d.%d.%s" % (item.number, item.generation, item.digest) for item in page.segments]
    return f'"{hashlib.sha256(b"|".join([chosen.encode(), *parts])).hexdigest()[:32]}"'


async def fetch(context: Context, page: Page, at: int, chosen: Coding) -> memoryview | None:
    """The stored bytes of a page's segment number `at`; None when they cannot be had, and rows have to do."""
    try:
        found = await feed.piece(context, page, at, "deflate" if chosen == "gzip" else "zstd")
    except OSError:
        logger.warning("the store of feed segments did not answer")
        return None
    if found is None:
        await run_in_threadpool(feed.lost, context, page, at)
    return found


class Joined(Response):
    """The segments of a page in one coding; `first` is what `fetch` gave for the first of them."""

    media_type = FEED_MEDIA_TYPE

    def __init__(
        self,
        context: Context,
        page: Page,
        chosen: Coding,
        first: memoryview,
        *,
        status: int,
        headers: Mapping[str, str],
    ) -> None:
        self._context, self._page, self._coding = context, page, chosen
        self._first: memoryview | None = first
        sizes = {
            "zstd": sum(item.zstd for item in page.segments),
            "gzip": sum(item.deflate for item in page.segments) + GZIP_FRAME_BYTES,
            "identity": sum(item.size for item in page.segments),
        }
        length = {"Content-Length": str(sizes[chosen])}
        super().__init__(None, status, {**headers, **length})

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send it."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if self._coding == "gzip":
            await _more(send, GZIP_HEADER)
        for at in range(len(self._page.segments)):
            piece, self._first = self._first, None
            if piece is None:
                piece = await fetch(self._context, self._page, at, self._coding)
            if piece is None:
                logger.warning("a segment was replaced while it was being sent")
                return
            identity = self._coding == "identity"
            await _more(send, await run_in_threadpool(coding.decode, piece) if identity else piece)
        end = b""
        if self._coding == "gzip":
            end = coding.gzip_trailer(Part(item.crc, item.size) for item in self._page.segments)
        await send({"type": "http.response.body", "body": end})


async def _more(send: Send, content: bytes | memoryview) -> None:
    await send({"type": "http.response.body", "body": content, "more_body": True})
