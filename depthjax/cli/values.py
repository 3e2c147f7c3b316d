"""How the text of flags becomes values: `name=value` pairs and lists of numbers."""

import ast
from collections.abc import Sequence
from typing import Any

from absl import flags

FLAGS = flags.FLAGS


def flag_values(*names: str) -> dict[str, Any]:
    """The values of flags by name, as a run's config.json keeps them."""
    return {name: FLAGS[name].value for name in names}


def fields_from_flags(flag: str = "model_field") -> dict[str, Any]:
    """The values by name of a flag such as `--model_field=width=16`, which may be given often.

    Raises:
        ValueError: as `parse_fields`.
    """
    return parse_fields(FLAGS[flag].value or (), flag)


def parse_fields(texts: Sequence[str], flag: str) -> dict[str, Any]:
    """The values by name of texts such as `width=16`.

    Args:
        texts: each `name=value`; a value is a number, True, False, numbers separated by commas,
            or else a text.
        flag: the flag that they were given with.

    Raises:
        ValueError: for a text of another form.
    """
    fields = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator:
            raise ValueError(f"--{flag}={text!r} is not of the form name=value")
        fields[name] = _literal(value)
    return fields


def check_needed(needed: str | Sequence[str], *flags: str) -> None:
    """Returns if no flag was changed that only another one gives a meaning.

    Args:
        needed: the other flag, or several of which one is enough.
        flags: those that do nothing without it.

    Raises:
        ValueError: for a flag with another value than its default where `needed` has none.
    """
    others = [needed] if isinstance(needed, str) else needed
    if any(FLAGS[name].value not in (None, "") for name in others):
        return
    for name in flags:
        if FLAGS[name].value != FLAGS[name].default:
            alternatives = " or ".join(f"--{other}" for other in others)
            raise ValueError(
                f"--{name} does nothing without {alternatives}; give that, too, or leave it out"
            )


def rising_numbers(flag: str, *, least: int = 1) -> list[float]:
    """The numbers of a flag that takes a list.

    Args:
        flag: its name.
        least: how many numbers it must have.

    Raises:
        ValueError: unless they are positive, each is greater than the one before, and there are
            `least` of them.
    """
    texts: list[str] = FLAGS[flag].value or []
    try:
        numbers = [float(text) for text in texts]
    except ValueError:
        numbers = []
    if len(numbers) < least or sorted(set(numbers)) != numbers or numbers[0] <= 0:
        raise ValueError(
            f"--{flag}={','.join(texts)} must be rising numbers above 0, {least} or more"
        )
    return numbers


def whole_numbers(flag: str) -> tuple[int, ...]:
    """The numbers of a flag that takes a list.

    Raises:
        ValueError: for one that is no whole number of at least 1, and for none.
    """
    texts: list[str] = FLAGS[flag].value or []
    if not texts or not all(text.strip().isdecimal() and int(text) > 0 for text in texts):
        raise ValueError(f"--{flag}={','.join(texts)} must be whole numbers of at least 1")
    return tuple(map(int, texts))


def _literal(text: str) -> Any:
    """`16`, `2000,2000`, `True`, or else the text itself."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return tuple(value) if isinstance(value, list) else value
