"""`tocsin hub`: where this member stands with its hub, in plain words."""

from collections.abc import Mapping
from typing import Final

from tocsin_client.cli.console import Console, command
from tocsin_client.log import Log
from tocsin_schemas.checkpoint import is_sandbox
from tocsin_schemas.feed import CommunityView, MotionNotice
from tocsin_schemas.vocabulary import MemberState

IN_PLAIN_WORDS: Final[Mapping[MemberState, str]] = {
    "provisional": "You are a provisional member. What you report is shown to nobody until an active member of"
    " another owner reports the same, and does not count before you are active. You are given TLP clear and green.",
    "active": "You are an active member: you read, report and are counted.",
    "restricted": "You are restricted: you read everything, your reports stand, and you submit nothing new. If your"
    " yearly attestation is overdue, give it; else the board has to lift this.",
    "emergency_suspended": "Duty officers have suspended you, until the board has voted on it. What"
    " you reported in the last 30 days does not count meanwhile, and nothing is given to you.",
    "suspended": "The board has suspended you. Nothing that you said counts, and nothing is given to you.",
    "withdrawing": "You are withdrawing: until winding down is over you read and your reports stand; you submit"
    " nothing new.",
    "withdrawn": "You have left this hub. What you reported is no longer counted.",
    "expelled": "You were expelled from this hub. What you reported is no longer counted.",
}


@command("hub")
def hub(console: Console) -> None:
    r"""Say where you stand with the hub: your state, your communities, what is left of your cap.

    \b
    Example:
      tocsin hub
    """
    profile = console.home.load()
    with console.client(profile) as client:
        me = client.me()
        sandbox = is_sandbox(Log(client.log, console.log_store(profile.hub), profile.hub).origin)
    lines = [
        f"{profile.hub} knows you as {me.issuer}: {me.state.replace('_', ' ')} since {me.since}.",
        IN_PLAIN_WORDS[me.state],
        *(f"  {view.community}: {_rights(view)}" for view in me.communities),
        f"{me.signals_left:,} of {me.signals_per_hour:,} signals are left in this hour.",
    ]
    lines += [against_you(moved) for moved in me.motions]
    lines += [
        f"The hub has stopped sending to your endpoint {one}: tocsin webhook show {one}"
        for one in me.disabled_endpoints
    ]
    if sandbox:
        lines.append("This hub is a sandbox: no board decides there, and nothing in it is in earnest.")
    console.result({"hub": profile.hub, "sandbox": sandbox, **me.model_dump()}, "\n".join(lines))


def against_you(moved: MotionNotice) -> str:
    """A motion against the member, in words: what is moved, its clocks, and what can be done."""
    early = "not before " if moved.state == "proposed" else ""
    opened = "opened" if moved.state == "ballot" else "opens"
    notice = f" Notice runs from {moved.noticed_at} to {moved.notice_ends}." if moved.notice_ends else ""
    return (
        f"Moved against you: {moved.text} Motion {moved.motion}, proposed {moved.proposed_at}.{notice}"
        f" The ballot {opened} {early}{moved.opens_at} and closes {early}{moved.closes_at}."
        " If it passes you can appeal: tocsin member appeal NUMBER"
    )


def _rights(view: CommunityView) -> str:
    return " and ".join(word for word, may in (("read", view.may_read), ("write", view.may_write)) if may)


COMMANDS: Final = (hub,)
