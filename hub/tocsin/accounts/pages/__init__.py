"""The console's own pages: signing in, enrolment, what one signs in with, people, and who read what."""

from typing import Final

from tocsin.accounts.pages import enrolling, people, security, signing_in
from tocsin.accounts.pages.shared import invitation
from tocsin.web.routing import together

router: Final = together(signing_in.router, enrolling.router, security.router, people.router)

__all__ = ["invitation", "router"]
