"""The public face of delivery: queueing for a receiver, sending what is due, reading how it goes.

What is delivered belongs to the features above: they queue items in the transaction of the cause, and give the
courier a `Sender` that says what each item is on the wire when its turn comes.
"""

from tocsin.delivery.service.courier import Courier
from tocsin.delivery.service.queueing import (
    NewItem,
    close,
    enqueue,
    hold,
    lock,
    open_receiver,
    release,
    remove,
    reopen,
    requeue,
    requeue_between,
    unheld,
)
from tocsin.delivery.service.reading import (
    LaneStanding,
    Overview,
    Standing,
    attempts,
    items,
    overview,
    standings,
    troubled,
)
from tocsin.delivery.service.retention import forget
from tocsin.delivery.service.sender import Claim, End, Making, Sender, Verdict
from tocsin.delivery.store.reading import Attempt, Item

__all__ = [
    "Attempt",
    "Claim",
    "Courier",
    "End",
    "Item",
    "LaneStanding",
    "Making",
    "NewItem",
    "Overview",
    "Sender",
    "Standing",
    "Verdict",
    "attempts",
    "close",
    "enqueue",
    "forget",
    "hold",
    "items",
    "lock",
    "open_receiver",
    "overview",
    "release",
    "remove",
    "reopen",
    "requeue",
    "requeue_between",
    "standings",
    "troubled",
    "unheld",
]
