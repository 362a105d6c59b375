"""`virgate completion bash|zsh|fish`: the script that completes commands, options and machine names."""

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    For bash: virgate completion bash > /etc/bash_completion.d/virgate
    """
    made = get_completion_class(shell)
    if made is None:
        raise click.ClickException(f"there is no completion for {shell}")
    click.echo(made(ctx.find_root().command, {}, "virgate", "_VIRGATE_COMPLETE").source())
