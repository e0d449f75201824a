"""A follower in a process of its own: `python -m tests.benchmarks.follower HOME` follows once, on all cores.

It prints the seconds that following took and how many statements were stored. It imports nothing of the hub, as a
member's process does not, and as the worker processes that it starts do not.
"""

import os
import sys
import time
from pathlib import Path

from tocsin_client.client import Client
from tocsin_client.config import Home, load_key
from tocsin_client.mirror import Mirror
from tocsin_client.submit import Author


def main() -> None:
    home = Home.locate(Path(sys.argv[1]))
    profile = home.load()
    author = Author(profile.issuer, load_key(profile.key))
    path = home.mirror_file(profile.hub, profile.community)
    with (
        Client(profile.hub, author, profile.client_id) as client,
        Mirror.open(path, profile.hub, profile.community) as mirror,
    ):
        begun = time.perf_counter()
        step = mirror.follow(client, workers=os.cpu_count() or 1)
        print(time.perf_counter() - begun, step.stored)


if __name__ == "__main__":
    main()
