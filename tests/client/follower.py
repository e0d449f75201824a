"""A follower to be killed: `python -m tests.client.follower HOME LIMIT` follows to the end, in small pages.

It prints a line before the first page, behind each, and at the end.
"""

import sys
from pathlib import Path

from tocsin_client.client import Client
from tocsin_client.config import Home, load_key
from tocsin_client.mirror import Mirror
from tocsin_client.submit import Author


def main() -> None:
    home = Home.locate(Path(sys.argv[1]))
    profile = home.load()
    path = home.mirror_file(profile.hub, profile.community)
    author = Author(profile.issuer, load_key(profile.key))
    with (
        Client(profile.hub, author, profile.client_id) as client,
        Mirror.open(path, profile.hub, profile.community) as mirror,
    ):
        print("following", flush=True)
        mirror.follow(
            client,
            limit=int(sys.argv[2]),
            at_least=client.me().log_size,
            on_page=lambda _: print("page", flush=True),
        )
        print("done", flush=True)


if __name__ == "__main__":
    main()
