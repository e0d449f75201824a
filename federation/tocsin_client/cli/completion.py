"""`tocsin completion`: the script that completes commands and options in a shell."""

from typing import Final

import click
from click.shell_completion import get_completion_class

_VARIABLE: Final = "_TOCSIN_COMPLETE"


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    r"""Print the completion script for your shell.

    \b
    Examples:
      eval "$(tocsin completion bash)"                       in ~/.bashrc
      eval "$(tocsin completion zsh)"                        in ~/.zshrc
      tocsin completion fish > ~/.config/fish/completions/tocsin.fish
    """
    found = get_completion_class(shell)
    root = click.get_current_context().find_root().command
    if found is not None:
        click.echo(found(root, {}, "tocsin", _VARIABLE).source())


COMMANDS: Final = (completion,)
