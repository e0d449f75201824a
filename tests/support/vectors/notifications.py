"""Bodies of webhooks, written by hand: what each says, which are none, and how one is put together from its parts."""

from typing import Any

HUB = "https://hub.example"
AT = "2026-11-22T12:00:00Z"
ENDPOINT = "ep_6922e1c0000102030405060708090a0b"
CORROBORATED = (
    '{"type":"indicator.corroborated","timestamp":"2026-11-22T12:00:00Z","data":{"subject":"community:child-safety:urgent",'
    '"community":"child-safety","cursor":812,"first":812,"last":812,"count":1,"status":"corroborated",'
    '"rule":"corroborated/v1","policy_version":1,"expires_at":"2026-12-22T12:00:00Z","labels":["test@1:benign_a"],'
    '"link":"https://hub.example/v1/communities/child-safety/feed?after=811"'
)
RECORD = (
    '{"seq":812,"recorded_at":"2026-11-22T12:00:00Z","expires_at":"2026-12-22T12:00:00Z",'
    f'"r":"{"ab" * 32}","jws":"eyJ0eXAi.eyJpc3Mi.c2ln"}}'
)


def accepted() -> list[dict[str, Any]]:
    return [
        {"why": "thin", "body": f'{CORROBORATED},"seq":7}}}}'},
        {"why": "full", "body": f'{CORROBORATED},"records":[{RECORD}],"seq":7}}}}'},
        {
            "why": "a batch: what several entries have between them",
            "body": '{"type":"signal.recorded","timestamp":"2026-11-22T12:00:00Z","data":{"subject":"community:ncii",'
            '"community":"ncii","cursor":900,"first":813,"last":900,"count":40,"seq":1}}',
        },
        {
            "why": "of the board",
            "body": f'{{"type":"decision.recorded","timestamp":"{AT}","data":{{"subject":"board","cursor":9,'
            f'"first":9,"last":9,"count":1,"status":"passes","link":"{HUB}/.well-known/tocsin/board/records","seq":3}}}}',
        },
        {
            "why": "in no log: the operator of a sandbox did it",
            "body": f'{{"type":"member.state_changed","timestamp":"{AT}","data":{{"subject":"community:ncii",'
            '"community":"ncii","count":1,"status":"suspended","seq":2}}',
        },
        {
            "why": "a challenge, which has no number",
            "body": f'{{"type":"endpoint.verification","timestamp":"{AT}","data":{{"subject":"endpoint:{ENDPOINT}",'
            '"challenge":"q2Zl8dTn"}}',
        },
        {
            "why": "a test",
            "body": f'{{"type":"endpoint.test","timestamp":"{AT}","data":{{"subject":"endpoint:{ENDPOINT}","seq":1}}}}',
        },
        {
            "why": "another endpoint of the same member is sent nothing more",
            "body": f'{{"type":"endpoint.disabled","timestamp":"{AT}","data":{{"subject":"endpoint:{ENDPOINT}",'
            f'"reason":"gone","link":"{HUB}/console/endpoints/{ENDPOINT}","seq":1}}}}',
        },
        {
            "why": "a newer hub says more",
            "body": f'{{"type":"endpoint.test","timestamp":"{AT}","more":1,"data":{{"subject":"endpoint:{ENDPOINT}",'
            '"seq":1,"more":{"even":"more"}}}',
        },
    ]


def refused() -> list[dict[str, Any]]:
    return [
        {"why": "not JSON", "body": "{", "field": ""},
        {"why": "no object", "body": "[]", "field": ""},
        {"why": "no type", "body": '{"timestamp":"2026-11-22T12:00:00Z","data":{}}', "field": ""},
        {"why": "a type that is not known", "body": '{"type":"signal.lost","timestamp":"x","data":{}}', "field": ""},
        {"why": "no number", "body": f"{CORROBORATED}}}}}", "field": "indicator.corroborated.data.seq"},
        {"why": "the first is 1", "body": f'{CORROBORATED},"seq":0}}}}', "field": "indicator.corroborated.data.seq"},
        {
            "why": "a subject that is none",
            "body": '{"type":"endpoint.test","timestamp":"2026-11-22T12:00:00Z","data":{"subject":"person:1","seq":1}}',
            "field": "endpoint.test.data.subject",
        },
        {
            "why": "a time that is not in UTC",
            "body": '{"type":"endpoint.test","timestamp":"2026-11-22T12:00:00+01:00",'
            '"data":{"subject":"board","seq":1}}',
            "field": "endpoint.test.timestamp",
        },
    ]  # fmt: skip


def composed() -> list[dict[str, Any]]:
    data = {
        "subject": "community:child-safety:urgent",
        "community": "child-safety",
        "cursor": 812,
        "first": 812,
        "last": 812,
        "count": 1,
        "status": "corroborated",
        "rule": "corroborated/v1",
        "policy_version": 1,
        "expires_at": "2026-12-22T12:00:00Z",
        "labels": ["test@1:benign_a"],
        "link": f"{HUB}/v1/communities/child-safety/feed?after=811",
    }
    said = [list(pair) for pair in data.items()]
    parts = {"type": "indicator.corroborated", "at": 1795348800, "data": said, "seq": 7}
    thin, full = (one["body"] for one in accepted()[:2])
    return [
        {**parts, "records": [], "body": thin},
        {**parts, "records": [RECORD], "body": full},
        {**parts, "data": [["absent", None], *said], "records": [], "body": thin},
    ]


def document() -> dict[str, Any]:
    return {
        "says": "Bodies of webhooks. Those accepted are in the form of notification.schema.json; of those refused, "
        "`field` names where. A composed one is its parts, byte for byte; `at` is Unix seconds, `data` the "
        "members in their order.",
        "accepted": accepted(),
        "refused": refused(),
        "composed": composed(),
    }
