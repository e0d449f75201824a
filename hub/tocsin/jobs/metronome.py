"""APScheduler as a metronome: it says when, the database says what."""

import gc
import logging
from datetime import UTC, datetime
from functools import partial
from typing import Final

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, JobExecutionEvent, JobSubmissionEvent
from apscheduler.schedulers.background import BackgroundScheduler

from tocsin.jobs.service import JOBS, Means, run
from tocsin.jobs.service.calendar import Calendar

logger = logging.getLogger(__name__)

COLLECT: Final = (20_000, 20, 50)
"""How much is made before the collector looks at it, and how often it looks further (Python's own: 700, 10, 10)."""


def start(means: Means) -> BackgroundScheduler:
    """Start running every job at its pace; stop it with `shutdown()`.

    A beat that is missed is not made up for, and a job never runs beside itself. What the calendar says waits as
    long as the clock is not to be believed (`tocsin.jobs.service.calendar`).
    """
    # What matters, `_failed` says. That a beat is left out while the last one lasts would be a line a second.
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
    scheduler = BackgroundScheduler(
        timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    )
    calendar = None if means.context.board.sandbox else Calendar(means.context.database)
    if calendar is not None:
        calendar.may_run()
    for job in JOBS.values():
        first = {"next_run_time": datetime.now(UTC)} if job.at_start else {}
        scheduler.add_job(
            partial(_beat, means, job.name, calendar if job.calendar else None),
            "interval",
            seconds=job.every,
            id=job.name,
            **first,
        )
    scheduler.add_listener(_failed, EVENT_JOB_ERROR)
    scheduler.add_listener(_slow, EVENT_JOB_MAX_INSTANCES)
    # Its own line about a beat that was left out names no job.
    logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)
    settle_memory()
    scheduler.start()
    return scheduler


def settle_memory() -> None:
    """Have the garbage collector leave alone what is there now, and look less often at what comes.

    What a hub has loaded stays, and a thousand deliveries in hand are small objects by the hundred thousand that go by
    themselves: looking at all of it again and again was a fifth of what a delivery costs (`webhook-throughput`).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT)


def _beat(means: Means, name: str, calendar: Calendar | None) -> None:
    if calendar is not None and not calendar.may_run():
        return
    done = run(means, name)
    if done:
        logger.info("job done", extra={"job": name, "count": done})


def _failed(event: JobExecutionEvent) -> None:
    logger.error("job failed", exc_info=event.exception, extra={"job": event.job_id})


def _slow(event: JobSubmissionEvent) -> None:
    logger.debug("job still running, a beat left out", extra={"job": event.job_id})
