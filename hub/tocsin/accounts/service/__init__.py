"""The public face of accounts."""

from tocsin.accounts.service.accounts import Accounts, open_accounts
from tocsin.accounts.service.context import nobody_seated
from tocsin.accounts.service.directory import forget
from tocsin.accounts.service.enrolling import Link, Passkey

__all__ = ["Accounts", "Link", "Passkey", "forget", "nobody_seated", "open_accounts"]
