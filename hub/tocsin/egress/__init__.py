"""Outbound HTTP: the only door through which the hub opens a connection to somebody else.

guard   what may be called on a member's behalf: pure
names   host names to addresses that may be called
door    the event loop, the connections, the limits
"""

from tocsin.egress.door import Egress, open_egress
from tocsin.egress.guard import Guard, check_header
from tocsin.egress.messages import (
    Answer,
    Conversation,
    Outbound,
    Send,
    Unanswered,
    Why,
    base_url,
)

__all__ = [
    "Answer",
    "Conversation",
    "Egress",
    "Guard",
    "Outbound",
    "Send",
    "Unanswered",
    "Why",
    "base_url",
    "check_header",
    "open_egress",
]
