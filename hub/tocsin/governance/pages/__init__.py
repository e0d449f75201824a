"""The pages of the board's proceedings: at the console, and the public form and list."""

from typing import Final

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
    seat,
    sponsorship,
    standing,
    ties,
)
from tocsin.web.routing import together

router: Final = together(
    # `/console/motions/new` before `/console/motions/{motion_id}`, which would take it for a motion.
    home.router,
    docket.router,
    ties.router,
    propose.router,
    motion.router,
    seat.router,
    applications.router,
    sponsorship.router,
    emergency.router,
    appeal.router,
    apply.router,
    members.router,
    standing.router,
    policy.router,
    keys.router,
    audit.router,
    organisation.router,
)

notices: Final = organisation.notices
