"""Runs `tocsin-hub` in this process."""

from collections.abc import Callable

from click.testing import CliRunner, Result

from tocsin.cli import main

Run = Callable[..., Result]


def tocsin_hub(*arguments: str, code: int = 0) -> Result:
    """Run a command that is to end with `code`."""
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result
