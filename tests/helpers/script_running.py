"""Scripts that run within the tests: a fixture with the script, a call of it, and its table."""

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from absl import flags
from absl.testing import flagsaver
from script_loading import EXPERIMENTS, loaded, put_back, taken


def script_fixture(name: str) -> Any:
    """A fixture of a test module: `experiments/NAME.py` with its flags."""

    @pytest.fixture(scope="module")
    def script() -> Iterator[ModuleType]:
        with loaded(name) as module:
            yield module

    return script


def runner(settings: dict[str, Any]) -> Callable[..., None]:
    """A function `run(script, folder, **changes)` that runs a script with these flags.

    Args:
        settings: the flags of all runs, by name; the changes of one run come over them.
    """

    def run(script: ModuleType, folder: Path, **changes: Any) -> None:
        before = set(flags.FLAGS)
        libraries = []
        try:
            with flagsaver.flagsaver(**{**settings, "output": str(folder), **changes}):
                try:
                    script.main()
                finally:  # what reads data sets defines flags at its first use, once for ever
                    libraries = taken(set(flags.FLAGS) - before)
        finally:
            put_back(libraries)

    return run


def every_flag_file(pattern: str = "*") -> pytest.MarkDecorator:
    """A test runs with `file`, each of those `experiments/flags/PATTERN.flags`."""
    files = sorted((EXPERIMENTS / "flags").glob(f"{pattern}.flags"))
    return pytest.mark.parametrize("file", files, ids=lambda file: file.stem)


@contextmanager
def with_flags_of(script: ModuleType, file: Path) -> Iterator[flags.FlagValues]:
    """The flags of a script as a file sets them."""
    with flagsaver.flagsaver():
        script.FLAGS([str(script.__file__), f"--flagfile={file}"])
        yield script.FLAGS


@contextmanager
def refused(message: str, folder: Path) -> Iterator[Path]:
    """What a script is asked within ends in one line that says so, and writes no folder."""
    with pytest.raises(ValueError, match=message) as error:
        yield folder
    assert len(str(error.value).splitlines()) == 1
    assert not folder.exists()


def rows_of(folder: Path) -> list[dict[str, str]]:
    """The table that a script wrote."""
    with open(folder / "results.csv", newline="") as file:
        return list(csv.DictReader(file))
