"""`virgate completion bash|zsh|fish`: the script that completes commands, options, machines, domains and tasks."""

import os

import click
from click.shell_completion import BashComplete, add_completion_class, get_completion_class, split_arg_string

SOURCE = """\
%(complete_func)s() {
    local IFS=$'\\n' response type value
    response=$(env COMP_LINE="${COMP_LINE:0:COMP_POINT}" %(complete_var)s=bash_complete $1)
    for response in $response; do
        IFS=',' read -r type value <<<"$response"
        case $type in
            dir) COMPREPLY=(); compopt -o dirnames ;;
            file) COMPREPLY=(); compopt -o default ;;
            plain) printf -v value %%q "$value"; COMPREPLY+=("$value") ;;
        esac
    done
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""


@add_completion_class
class Bash(BashComplete):
    """Click's, but that it takes the line as it was typed: bash would cut HOST:PORT into three words."""

    source_template = SOURCE

    def get_completion_args(self) -> tuple[list[str], str]:
        line = os.environ["COMP_LINE"]
        words = split_arg_string(line)[1:]
        return (words, "") if not words or line[-1:].isspace() else (words[:-1], words[-1])


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    \b
    bash: virgate completion bash > /etc/bash_completion.d/virgate
    zsh:  virgate completion zsh > /usr/local/share/zsh/site-functions/_virgate
    """
    made = get_completion_class(shell)
    assert made is not None  # for click knows these three
    click.echo(made(ctx.find_root().command, {}, "virgate", "_VIRGATE_COMPLETE").source(), nl=False)
