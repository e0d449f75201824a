"""APScheduler as a metronome: it says when, the database says what."""

import logging
from functools import partial

from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from apscheduler.schedulers.background import BackgroundScheduler

from tocsin.jobs.service import JOBS, run
from tocsin.keys import HubKeys
from tocsin.signals.service.context import Context

logger = logging.getLogger(__name__)


def start(context: Context, keys: HubKeys) -> BackgroundScheduler:
    """Start running every job at its pace; stop it with `shutdown()`.

    A beat that is missed is not made up for, and a job never runs beside itself.
    """
    scheduler = BackgroundScheduler(
        timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    )
    for job in JOBS.values():
        scheduler.add_job(partial(_beat, context, keys, job.name), "interval", seconds=job.every, id=job.name)
    scheduler.add_listener(_failed, EVENT_JOB_ERROR)
    scheduler.start()
    return scheduler


def _beat(context: Context, keys: HubKeys, name: str) -> None:
    done = run(context, keys, name)
    if done:
        logger.info("job done", extra={"job": name, "count": done})


def _failed(event: JobExecutionEvent) -> None:
    logger.error("job failed", exc_info=event.exception, extra={"job": event.job_id})
