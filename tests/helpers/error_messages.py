"""What an error says, in tests of bad input."""

from collections.abc import Callable

import pytest


def error_of(call: Callable[[], object]) -> str:
    """The message of the ValueError that the call raises, which must be one line."""
    with pytest.raises(ValueError, match=r"\w") as caught:
        call()
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message
