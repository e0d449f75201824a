"""A server of the S3 API for all tests of objects."""

from collections.abc import Iterator

import pytest

from tests.support.s3 import S3, serving


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    """The server, with a bucket."""
    with serving() as found:
        yield found
