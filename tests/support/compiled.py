"""Engines that share the SQL they have compiled: a hub has its own, a test its own hub, and every one compiled it anew.

What SQLAlchemy compiled is kept with an engine, for its dialect. Of each kind of database the first engine that has
connected lends both to those that are made after it.
"""

from typing import Any

from sqlalchemy import Engine, create_engine, event


class Sharing:
    """Makes engines as `sqlalchemy.create_engine` does."""

    def __init__(self) -> None:
        self._first: dict[str, Engine] = {}

    def __call__(self, url: Any, **given: Any) -> Engine:
        made = create_engine(url, **given)
        kind = made.dialect.name
        if (first := self._first.get(kind)) is not None:
            made.dialect = made.pool._dialect = first.dialect
            made._compiled_cache = first._compiled_cache
        else:
            # A dialect knows what it needs once it has seen a connection.
            event.listen(made, "connect", lambda *_: self._first.setdefault(kind, made), once=True)
        return made
