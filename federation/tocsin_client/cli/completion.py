"""`tocsin completion`: the script that completes commands and options in a shell."""

from typing import Final

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

_VARIABLE: Final = "_TOCSIN_COMPLETE"
_SHELLS: Final[dict[str, type[ShellComplete]]] = {
    "bash": BashComplete,
    "zsh": ZshComplete,
    "fish": FishComplete,
}


@click.command("completion")
@click.argument("shell", type=click.Choice(list(_SHELLS)))
def completion(shell: str) -> None:
    r"""Print the completion script for your shell.

    \b
    Examples:
      eval "$(tocsin completion bash)"                       in ~/.bashrc
      eval "$(tocsin completion zsh)"                        in ~/.zshrc
      tocsin completion fish > ~/.config/fish/completions/tocsin.fish
    """
    root = click.get_current_context().find_root().command
    click.echo(_SHELLS[shell](root, {}, "tocsin", _VARIABLE).source())


COMMANDS: Final = (completion,)
