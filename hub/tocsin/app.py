"""The composition root: one hub, put together from its settings.

Everything is made here and handed down; nothing is imported as a global. Routes find their services on `app.state`:

    settings, database    what the hub is set up with
    members, oauth        tocsin.members
    accounts, notices     who is at the console, and what they are told on every page, for tocsin.web.console
    egress                tocsin.egress: the one door out
    chamber               tocsin.governance: the board's proceedings
    authenticate          access token to Actor, for tocsin.web.auth
    at_head               whether the schema is this version's, for tocsin.web.health
    calendar              since when nothing has followed from the calendar, for tocsin.web.health
    board                 tocsin.governance: the chain of what was decided
    ledger, watch         tocsin.ledger: the log, and waiting for it to grow
    alarms, halted        what keeps the log from growing, for tocsin.web.health and submission
    witness               tocsin.witnessing
    readers               the threads that only read, for tocsin.web.lanes
    signals, ingest       tocsin.signals
    simulate              what another policy would do, for the console
    webhooks, stopped     tocsin.webhooks: endpoints of members, and those that are sent nothing more
    transmitter           tocsin.streams: Shared Signals
    stream_watch          tocsin.streams: waiting for something to be polled
    courier               tocsin.delivery: what is due to endpoints and streams
    means                 what the jobs work with, for tocsin.jobs
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version

from anyio import to_thread
from fastapi import FastAPI

from tocsin import keys, migrations
from tocsin.accounts import pages as accounts_pages
from tocsin.accounts.service import open_accounts
from tocsin.config import Settings
from tocsin.db import Clock, Database, system_clock
from tocsin.delivery import pages as delivery_pages
from tocsin.egress import open_egress
from tocsin.errors import Misconfigured
from tocsin.governance import pages as governance_pages
from tocsin.governance import routes as governance_routes
from tocsin.governance.service import startup as governance
from tocsin.governance.service.context import open_chamber
from tocsin.governance.service.seating import named, seats
from tocsin.jobs import pages as jobs_pages
from tocsin.jobs.carrying import open_courier
from tocsin.jobs.service import Means
from tocsin.jobs.service.calendar import waits_since
from tocsin.ledger import pages as ledger_pages
from tocsin.ledger import routes as ledger_routes
from tocsin.ledger import service as ledger_service
from tocsin.ledger.watch import Watch
from tocsin.members import routes as members_routes
from tocsin.members import service as members_service
from tocsin.members.oauth import TOKEN_PATH, OAuth
from tocsin.members.service import Access
from tocsin.signals import pages as signals_pages
from tocsin.signals import routes as signals_routes
from tocsin.signals.pool import IngestPool
from tocsin.signals.service.context import open_context
from tocsin.signals.service.reach import reach
from tocsin.signals.service.simulate import simulate
from tocsin.streams import pages as streams_pages
from tocsin.streams import routes as streams_routes
from tocsin.streams.service.context import open_transmitter
from tocsin.streams.service.stopping import allow as allow_stream
from tocsin.streams.service.stopping import stop as stop_stream
from tocsin.streams.watch import StreamWatch
from tocsin.web import health, html, problems
from tocsin.web.lanes import reading_lane
from tocsin.web.middleware import Edge
from tocsin.web.openapi import Documented
from tocsin.web.routing import together
from tocsin.webhooks import pages as webhooks_pages
from tocsin.webhooks import routes as webhooks_routes
from tocsin.webhooks.service import open_webhooks
from tocsin.webhooks.service.endpoints import stopped
from tocsin.webhooks.service.stopping import allow as allow_endpoint
from tocsin.webhooks.service.stopping import stop as stop_endpoint
from tocsin.witnessing import routes as witnessing_routes
from tocsin.witnessing.service import open_witness

DESCRIPTION = """
Tocsin is a self-hosted hub through which vetted platforms exchange signed, hash-only abuse signals.

Authentication is OAuth 2.0 client credentials with `private_key_jwt`; every refusal is a problem document (RFC 9457)
with a stable `code`, and never repeats what was sent. The interface is versioned in its path: within `/v1`, members are
added, none is removed or changes its meaning.
"""

TAGS = [
    {"name": "signals", "description": "Submit, follow, look up."},
    {"name": "members", "description": "Who is in a community."},
    {"name": "webhooks", "description": "Endpoints that are told within seconds, and what they were sent."},
    {"name": "streams", "description": "OpenID Shared Signals Framework 1.0: events by push and by poll."},
    {"name": "board", "description": "What the board decides. What is published needs no authentication."},
    {"name": "log", "description": "The public, append-only log. No authentication: it holds no values."},
    {
        "name": "witness",
        "description": "Cosigning the logs of others. No authentication: what counts is the log's signature.",
    },
    {"name": "applications", "description": "Applying for membership. No account is needed."},
    {"name": "oauth", "description": "Tokens and discovery."},
    {"name": "health", "description": "For the operator."},
]


def create_app(settings: Settings, *, clock: Clock = system_clock) -> FastAPI:
    """The hub as an ASGI application. Its database must be migrated, and its keys made.

    Raises:
        Misconfigured: when the hub's keys are missing or unfit. When it starts: as
            `ledger.start` and `governance.start`, and it does not.
    """
    hub_keys = keys.load(settings)
    context = open_context(settings, clock)
    database: Database = context.database
    ledger = ledger_service.open_ledger(settings, database, hub_keys)
    watch = Watch(database)
    stream_watch = StreamWatch(database)
    ingest = IngestPool(settings, context)
    egress = open_egress(settings)
    transmitter = open_transmitter(context, hub_keys, egress)
    webhooks = open_webhooks(database, context.members, egress, hub_keys)
    courier = open_courier(context, webhooks, transmitter)
    oauth = OAuth(Access(database, settings.issuer), settings.issuer, hub_keys.token)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        try:
            await to_thread.run_sync(ledger_service.start, ledger)
            await to_thread.run_sync(governance.start, context.board, ledger)
            # Only now: rows that were changed by another hand have been put right.
            await to_thread.run_sync(members_service.hub_keys.demand_fit, database, hub_keys)
        except Misconfigured:
            database.dispose()
            raise
        ingest.start()
        yield
        await watch.close()
        await stream_watch.close()
        await to_thread.run_sync(courier.stop)
        ingest.stop()
        database.dispose()

    app = Documented(
        models=(*signals_routes.SCHEMAS, *governance_routes.SCHEMAS, *webhooks_routes.SCHEMAS),
        token_url=settings.issuer + TOKEN_PATH,
        title="Tocsin hub",
        version=version("tocsin"),
        summary="Signed, hash-only abuse signals.",
        description=DESCRIPTION,
        openapi_tags=TAGS,
        lifespan=lifespan,
        # The interactive pages load their scripts from elsewhere; a redirect would repeat the caller's path.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    chamber = open_chamber(database, context.board, settings.issuer, ledger, reach(context))
    _hand_down(
        app,
        settings=settings,
        database=database,
        members=context.members,
        oauth=oauth,
        accounts=open_accounts(settings, database, hub_keys, seats=seats(chamber), named=named(chamber)),
        notices=(governance_pages.notices, jobs_pages.notices, webhooks_pages.notices, streams_pages.notices),
        stopping={
            "ep_": delivery_pages.Acts(stop_endpoint, allow_endpoint),
            "st_": delivery_pages.Acts(stop_stream, allow_stream),
        },
        chamber=chamber,
        egress=egress,
        authenticate=oauth.authenticate,
        at_head=partial(migrations.at_head, database),
        calendar=partial(waits_since, database),
        ledger=ledger,
        board=context.board,
        alarms=partial(ledger_service.alarms, ledger),
        halted=ledger.witnesses.halted,
        watch=watch,
        witness=open_witness(settings, database, hub_keys, ledger.origin),
        readers=reading_lane(),
        signals=context,
        ingest=ingest,
        simulate=partial(simulate, context),
        courier=courier,
        webhooks=webhooks,
        stopped=partial(stopped, webhooks),
        transmitter=transmitter,
        stream_watch=stream_watch,
        means=Means(context, chamber, ledger, hub_keys, courier, transmitter, webhooks),
    )
    _answer(app, settings)
    return app


def _hand_down(app: FastAPI, **services: object) -> None:
    """Put services where routes find them."""
    for name, service in services.items():
        setattr(app.state, name, service)


def _answer(app: FastAPI, settings: Settings) -> None:
    """Have it answer: every route, and every refusal."""
    problems.install(app)
    app.add_middleware(Edge, https=settings.issuer.startswith("https:"))
    app.router.routes.extend(
        together(
            # What members ask all day comes first.
            signals_routes.router,
            members_routes.router,
            streams_routes.router,
            webhooks_routes.router,
            ledger_routes.router,
            health.router,
            governance_routes.router,
            witnessing_routes.router,
            html.router,
            signals_pages.router,
            ledger_pages.router,
            accounts_pages.router,
            governance_pages.router,
            delivery_pages.router,
            webhooks_pages.router,
            streams_pages.router,
        ).routes
    )
