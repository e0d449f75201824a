"""Objects: bytes under a path, in a folder or in an S3-compatible store.

What lies here is derived from the database, and can be served from where it lies: the public log by any web server or
CDN. `open_objects` chooses by the location alone; nobody else needs to know which kind it is.
"""

from pathlib import Path
from typing import Final

from tocsin.config import Settings
from tocsin.errors import Misconfigured
from tocsin.objects.files import FileObjects
from tocsin.objects.shape import Cache, Object, Objects

__all__ = ["Cache", "Object", "Objects", "open_objects"]

_S3: Final = "s3://"


def open_objects(settings: Settings, location: str) -> Objects:
    """The objects at `location`: a folder, or `s3://bucket/prefix` on the server of the settings.

    Raises:
        Misconfigured: when the location is not of that form, or the extra `s3` is not installed.
    """
    if not location.startswith(_S3):
        return FileObjects(Path(location))
    try:
        from tocsin.objects.s3 import open_s3  # noqa: PLC0415  # the extra [s3] is optional
    except ModuleNotFoundError:
        raise Misconfigured(
            "an s3:// location needs the package of the extra s3", "install tocsin[hub,s3]"
        ) from None
    return open_s3(settings, location.removeprefix(_S3))
