"""The console's own pages: signing in, enrolment, what one signs in with, people, and who read what."""

from typing import Final

from fastapi import APIRouter

from tocsin.accounts.pages import enrolling, people, security, signing_in

router: Final = APIRouter(include_in_schema=False)
router.include_router(signing_in.router)
router.include_router(enrolling.router)
router.include_router(security.router)
router.include_router(people.router)
