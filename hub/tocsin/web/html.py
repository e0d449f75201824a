"""Pages for people: templates, the few static files, and a policy that lets nothing else in.

Rules: everything is rendered on the server and escaped; a page loads nothing from elsewhere and, unless it asks for a
passkey, runs no script, and its Content-Security-Policy holds it to that. A static file is served under a name that
holds its digest, so it may be kept for good. What a caller sent is never shown again, not even where it does not fit.
"""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from fastapi import APIRouter, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tocsin.errors import Refused
from tocsin_schemas.ledger import rfc3339

STATIC_PATH: Final = "/static"
POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
SCRIPT_POLICY: Final = f"{POLICY}; script-src 'self'"
"""For the pages that ask for a passkey, which only a script can: the one file that does it, and nothing inline."""
IMMUTABLE: Final = "public, max-age=31536000, immutable"
_HERE: Final = Path(__file__).parent
_TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_UNITS: Final = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
_MOMENT: Final = Markup(
    '<time datetime="{}"><span class="whole">{}</span> <span class="whole">{} UTC</span></time>'
)

_DUE: Final = Markup('{} <span class="soft whole">({})</span>')

router: Final = APIRouter()


class _File(NamedTuple):
    name: str
    content: bytes
    media_type: str


def page(
    template: str, *, status: int = 200, cache: str = "no-store", policy: str = POLICY, **shown: Any
) -> Response:
    """A page from a template below `templates/`: `shown` is what it shows, `cache` and `policy` its Cache-Control and
    Content-Security-Policy.
    """
    text = _environment().get_template(template).render(shown)
    headers = {"Content-Security-Policy": policy, "Cache-Control": cache}
    return Response(text, status, headers, media_type="text/html")


@router.get(STATIC_PATH + "/{name}", include_in_schema=False)
async def static(name: str) -> Response:
    """A style sheet or a picture of the pages, by the name that the pages use."""
    found = _served().get(name)
    if found is None:
        raise Refused("not-found")
    return Response(found.content, headers={"Cache-Control": IMMUTABLE}, media_type=found.media_type)


def ago(seconds: int) -> str:
    """A span of seconds in its largest whole unit, as people say it: "just now", "3 minutes ago"."""
    for size, unit in _UNITS:
        if seconds >= size:
            count = seconds // size
            return f"{count:,} {unit}{'' if count == 1 else 's'} ago"
    return "just now"


def span(seconds: int) -> str:
    """A span of seconds in its two largest units, as people say it: "2 days and 22 hours", "1 minute"."""
    parts = []
    for size, unit in _UNITS:
        count, seconds = divmod(max(seconds, 0), size)
        if count:
            parts.append(f"{count:,} {unit}{'' if count == 1 else 's'}")
        if len(parts) == 2 or (parts and not count):
            break
    return " and ".join(parts) or "no time"


def counted(count: int, thing: str) -> str:
    """How many of a thing there are: "1 message", "2,000 messages"."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def due(at: int, now: int) -> Markup:
    """A deadline: its date and time, and how far away it is ("in 3 days", "2 hours ago")."""
    left = at - now
    if left > 0:
        size, unit = next((size, unit) for size, unit in _UNITS if left >= size)
        said = f"in {left // size:,} {unit}{'' if left // size == 1 else 's'}"
    else:
        said = ago(-left)
    return _DUE.format(moment(at), said)


def moment(at: int) -> Markup:
    """Unix seconds as a `time` element, in UTC; between day and time of day the line may break."""
    text = rfc3339(at)
    return _MOMENT.format(text, text[:10], text[11:19])


@lru_cache(maxsize=1)
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "ago": ago,
        "counted": counted,
        "due": due,
        "moment": moment,
        "span": span,
        "grouped": "{:,}".format,
    }
    made.globals["static"] = _address
    return made


@lru_cache(maxsize=1)
def _files() -> dict[str, _File]:
    """The static files by the names they have in the repository."""
    found = {}
    for path in (_HERE / "static").iterdir():
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()[:16]
        found[path.name] = _File(f"{path.stem}.{digest}{path.suffix}", content, _TYPES[path.suffix])
    return found


@lru_cache(maxsize=1)
def _served() -> dict[str, _File]:
    """The static files by the names they are served under."""
    return {file.name: file for file in _files().values()}


def _address(name: str) -> str:
    return f"{STATIC_PATH}/{_files()[name].name}"
