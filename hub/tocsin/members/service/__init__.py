"""The public face of members: the registry, authentication, and the job that forgets."""

from tocsin.members.service import hub_keys
from tocsin.members.service.access import Access, Authenticated, forget
from tocsin.members.service.reconcile import (
    ROW,
    Difference,
    Wanted,
    WantedHubKey,
    WantedKey,
    WantedMember,
    reconcile,
)
from tocsin.members.service.records import ClientView, Community, MemberView, NewKey, Org
from tocsin.members.service.registry import Members

__all__ = [
    "ROW",
    "Access",
    "Authenticated",
    "ClientView",
    "Community",
    "Difference",
    "MemberView",
    "Members",
    "NewKey",
    "Org",
    "Wanted",
    "WantedHubKey",
    "WantedKey",
    "WantedMember",
    "forget",
    "hub_keys",
    "reconcile",
]
