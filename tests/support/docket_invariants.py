"""What must be true of the seals of a board's proceedings: each entry is opened, and the newest say what the rows do.

In SQL and arithmetic of its own, as `tests.support.invariants`.
"""

import hashlib
import hmac
import json
from collections import Counter
from typing import Any

from sqlalchemy import text

from tocsin.db import UnitOfWork

TABLES = {
    "motion": {
        "motion": ("id", "id"),
        "motion_endorsement": ("motion_id", "seat"),
        "motion_remark": ("motion_id", "id"),
        "motion_declaration": ("motion_id", "seat"),
        "motion_ballot": ("motion_id", "seat, credential"),
    },
    "application": {
        "application": ("id", "id"),
        "application_answer": ("application_id", "question, place"),
        "application_key": ("application_id", "kid"),
        "application_community": ("application_id", "community"),
        "application_asked": ("application_id", "question"),
        "sponsorship": ("application_id", "issuer"),
        "vetting_check": ("application_id", "id"),
    },
    "ties": {"seat_tie": ("handle", "issuer")},
    "acts": {"seat_act": ("seat", "jti")},
}
"""Each kind of case: its tables, the column that names the case, and the rest of their keys."""
TRUTHS = {"conflict", "may_read", "may_write"}


def check_docket(uow: UnitOfWork, since: int) -> list[int]:
    """The log indexes of the entries of seals from `since` on."""
    query = text(
        "SELECT seq, kind, recorded_at, commitment FROM entry WHERE community = 'docket' ORDER BY seq"
    )
    entries = {row.seq: row for row in uow.conn.execute(query)}
    seals = {row.log_seq: row for row in uow.conn.execute(text("SELECT * FROM board_seal ORDER BY log_seq"))}
    assert seals.keys() == entries.keys(), "a seal for every entry of the docket"
    replaced = Counter(seal.replaces for seal in seals.values() if seal.replaces is not None)
    assert set(replaced.values()) <= {1}, "no seal is replaced twice"
    cases: dict[tuple[str, str], Any] = {}
    for seq, seal in seals.items():
        said = f'{{"state":"{bytes(seal.state).hex()}"'
        said += "}" if seal.replaces is None else f',"replaces":{seal.replaces}}}'
        opened = hmac.digest(bytes(seal.nonce), b"tocsin/docket-seal/v1\n" + said.encode(), hashlib.sha256)
        assert opened == bytes(entries[seq].commitment), f"seal {seq}: does not open its entry"
        assert entries[seq].kind == "proceeding"
        assert (seal.spelled is None) == (seq in replaced), f"seal {seq}: the newest of a case has its rows"
        if seal.spelled is not None:
            salted = b"tocsin/docket-state/v1\n" + bytes(seal.salt) + bytes(seal.spelled)
            assert hashlib.sha256(salted).digest() == bytes(seal.state), f"seal {seq}: another state"
            case = (seal.kind, seal.case_id)
            assert case not in cases, f"seal {seq}: a case has one newest seal"
            cases[case] = json.loads(bytes(seal.spelled))
            assert tuple(cases[case]["case"]) == case, f"seal {seq}: of another case"
    _check_rows(uow, {case: said["rows"] for case, said in cases.items()})
    return [seq for seq in entries if seq >= since]


def _check_rows(uow: UnitOfWork, sealed: dict[tuple[str, str], Any]) -> None:
    found: dict[tuple[str, str], Any] = {case: {} for case in sealed}
    for kind, tables in TABLES.items():
        for table, (of, _) in tables.items():
            for row in uow.conn.execute(text(f"SELECT * FROM {table}")).mappings():
                said = {name: _said(name, value) for name, value in row.items() if value is not None}
                found.setdefault((kind, row[of]), {}).setdefault(table, []).append(said)
    for case, tables in found.items():
        for table, (_, key) in TABLES[case[0]].items():
            if table in tables:
                tables[table].sort(key=lambda row, key=key: [str(row[name]) for name in key.split(", ")])
    assert found == sealed, "the rows of every case are those of its newest seal"


def _said(name: str, value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return bool(value) if name in TRUTHS else value
