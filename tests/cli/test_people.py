"""`tocsin-hub console`: the links with which people come in, their roles, and locks."""

import json
from urllib.parse import urlsplit

from tests.cli.running import Run
from tocsin_schemas.ledger import instant


def test_links_roles_and_locks(run: Run) -> None:
    made = json.loads(run("console", "link", "ada", "--role", "operator", "--json").stdout)
    # Without an issuer the hub is on a loopback address, where passkeys work at localhost.
    assert urlsplit(made["url"]).netloc == "localhost:8000"
    assert urlsplit(made["url"]).path.startswith("/console/enrol/")
    assert instant(made["expires_at"]) > 0
    said = run(
        "console", "link", "grace", "--role", "org_admin", "--organisation", "https://pixel.example"
    ).stdout
    assert said.startswith("http://localhost:8000/console/enrol/")
    assert "Give it to grace alone" in said
    run("console", "role", "grace", "vetter")
    run("console", "role", "ada", "operator", "--revoke")
    run("console", "lock", "ada")
    assert json.loads(run("console", "list", "--json").stdout) == [
        {"handle": "ada", "roles": [], "passkeys": 0, "locked": True},
        {
            "handle": "grace",
            "roles": [
                {"role": "vetter", "organisation": None},
                {"role": "org_admin", "organisation": "https://pixel.example"},
            ],
            "passkeys": 0,
            "locked": False,
        },
    ]
    assert "ada may sign in again" in run("console", "lock", "ada", "--undo").stdout
    assert "org_admin of https://pixel.example" in run("console", "list").stdout


def test_what_does_not_fit_is_said_and_not_repeated(run: Run) -> None:
    for words, code in (
        (("link", "Ada!"), "claim-invalid"),
        (("link", "ada", "--role", "org_admin"), "claim-invalid"),
        (("link", "ada", "--role", "vetter", "--organisation", "https://pixel.example"), "claim-invalid"),
        (("role", "nobody", "vetter"), "not-found"),
        (("lock", "nobody"), "not-found"),
    ):
        failed = run("console", *words, "--json", code=1)
        assert json.loads(failed.stderr)["error"]["code"] == code
        assert "Ada!" not in failed.stderr
    assert json.loads(run("console", "list", "--json").stdout) == []
