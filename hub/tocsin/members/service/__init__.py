"""The public face of members: the registry, authentication, and the job that forgets."""

from tocsin.members.service.access import Access, Authenticated, forget
from tocsin.members.service.records import ClientView, Community, MemberView, NewKey, Org
from tocsin.members.service.registry import Members

__all__ = [
    "Access",
    "Authenticated",
    "ClientView",
    "Community",
    "MemberView",
    "Members",
    "NewKey",
    "Org",
    "forget",
]
