"""The pages of the board's proceedings: at the console, and the public form and list."""

from typing import Final

from fastapi import APIRouter

from tocsin.governance.pages import (
    appeal,
    applications,
    apply,
    audit,
    docket,
    emergency,
    home,
    keys,
    members,
    motion,
    organisation,
    policy,
    propose,
    sponsorship,
    standing,
    ties,
)

router: Final = APIRouter()
# `/console/motions/new` before `/console/motions/{motion_id}`, which would take it for a motion.
for module in (
    home,
    docket,
    ties,
    propose,
    motion,
    applications,
    sponsorship,
    emergency,
    appeal,
    apply,
    members,
    standing,
    policy,
    keys,
    audit,
    organisation,
):
    router.include_router(module.router)
