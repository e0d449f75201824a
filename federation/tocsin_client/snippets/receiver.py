"""A webhook receiver: verifies, answers the challenge, handles each message once."""

import os

from tocsin_client.webhook_journal import Journal
from tocsin_client.webhooks import Event, Receiver
from tocsin_client.webhooks_http import WebhookServer


def handle(event: Event) -> None:
    """Your code. What it raises makes the hub send the event again."""
    os.write(1, f"{event.type} {event.id}\n".encode())
    if event.gap:
        os.write(1, b"something did not arrive: pull the feed\n")  # behind event.gap.after


if __name__ == "__main__":
    # Journal() forgets when the process ends; Journal(Path("journal.sqlite3")) does not.
    receiver = Receiver(*os.environ["TOCSIN_WEBHOOK_SECRET"].split(), journal=Journal())
    with WebhookServer(receiver, handle, int(os.environ["PORT"])) as server:
        server.serve_forever()
