"""The command about the hub's clock: what the calendar waits for, and that the clock is right."""

import click

from tocsin.cli.console import emit, examples, json_option, load_settings, opened


@click.command(epilog=examples("tocsin-hub clock", "tocsin-hub clock --confirm"))
@click.option("--confirm", is_flag=True, help="The clock is right: the calendar goes on.")
@json_option
def clock(confirm: bool) -> None:
    """Show this machine's time, and whether the calendar waits because the clock has leapt ahead.

    Compare the time with another source before you confirm it: what the calendar does is never undone.
    """
    from tocsin.jobs.service import calendar
    from tocsin_schemas.ledger import rfc3339

    settings = load_settings()
    with opened(settings) as database:
        if confirm:
            calendar.confirm(database)
        ran, now = calendar.last_ran(database), database.clock()
        waits = calendar.waits_since(database) is not None
    said = {"now": rfc3339(now), "calendar_ran": None if ran is None else rfc3339(ran), "waits": waits}
    last = "The calendar has never run." if ran is None else f"The calendar last ran at {rfc3339(ran)}."
    if confirm:
        last = "Confirmed: the calendar goes on within a minute."
    elif waits:
        last += " It waits: is the time right, and does a process run the jobs? If it is: `tocsin-hub clock --confirm`."
    emit(said, f"It is {rfc3339(now)} here.", last)
