"""Completion in bash and zsh: commands, their flags, and the values of those that have few."""

from collections.abc import Iterable, Mapping
from typing import Any

_BASH = """\
_depthjax() {
    local line="${COMP_LINE:0:COMP_POINT}" IFS=$'\\n'
    COMPREPLY=($(depthjax --complete "$line"))
    local word="${line##* }"
    # Bash takes = for the end of a word, unless it is told otherwise.
    if [[ "$word" == *=* && "$COMP_WORDBREAKS" == *=* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${word%%=*}="}")
    fi
}
complete -o default -o nospace -F _depthjax depthjax"""

_ZSH = """\
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
_depthjax() {
    local -a words_found=("${(@f)$(depthjax --complete "$BUFFER[1,CURSOR]")}")
    if [[ -n "$words_found" ]]; then
        compadd -Q -S '' -- $words_found
    else
        compset -P '*[=,]'
        _files
    fi
}
compdef _depthjax depthjax"""

SCRIPTS = {"bash": _BASH, "zsh": _ZSH}
"""What a shell evaluates, by its name."""


def words_for(line: str, commands: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What the last word of a line may become; words that are whole end with a space.

    Args:
        line: what has been typed, from `depthjax` to the cursor.
        commands: as `depthjax.cli.commands.commands` has them.

    Returns:
        Whole words; none where the shell should complete the names of files.
    """
    _, *before, last = line.split(" ")
    if not before:
        return _begun(last, [f"{name} " for name in (*commands, "completion", "help")])
    if before[0] == "completion":
        return _begun(last, [f"{name} " for name in SCRIPTS])
    if before[0] == "help":
        return _begun(last, [f"{name} " for name in commands])
    flags = commands.get(before[0], {}).get("flags", {})
    name, equals, _ = last.partition("=")
    if not equals:
        return _begun(last, [word for flag in flags for word in _words_of(flag, flags[flag])])
    return _begun(last, [f"{name}={value} " for value in _values(name.lstrip("-"), flags)])


def _begun(start: str, words: Iterable[str]) -> list[str]:
    return [word for word in words if word.startswith(start)]


def _words_of(flag: str, about: Mapping[str, Any]) -> list[str]:
    return [f"--{flag} ", f"--no{flag} "] if "switch" in about else [f"--{flag}="]


def _values(flag: str, flags: Mapping[str, Mapping[str, Any]]) -> Iterable[str]:
    if flag == "flagfile":
        from depthjax.cli.flag_files import flag_files

        return flag_files()
    return flags.get(flag, {}).get("values", ())
