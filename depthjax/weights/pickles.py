"""Pickles as data: plain containers are made, and nothing is imported or called by name.

A pickle is a program for a small machine with a stack. `pickletools` of the standard library reads
its instructions without running them; here they get a meaning, but a harmless one. A name of the
file (`argparse.Namespace`, `os.system`) is looked up in a table of ours; one that is not in the
table becomes an `Unread`, and calling, building and filling that does nothing. What the machine
makes is bounded: an instruction makes one small object at most.
"""

import pickletools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

MOST_INSTRUCTIONS = 2_000_000  # a tensor takes about 30
_LONGEST_NAME, _LONGEST_KEY = 300, 16  # letters of a class's name, parts of a key that is a tuple
_ATTACKS = (  # modules that no file of weights has a reason to name
    *("__builtin__", "builtins", "code", "commands", "ctypes", "importlib", "marshal", "nt", "os"),
    *("pickle", "posix", "pty", "runpy", "shutil", "socket", "subprocess", "sys", "webbrowser"),
)
_HARMLESS = (  # of the builtins; getattr, since enumerations are pickled so
    *("bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "getattr", "int"),
    *("list", "object", "range", "set", "slice", "str", "tuple", "type"),
)
_PUSHED = (
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINSTRING", "SHORT_BINSTRING"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
)
_MADE: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_SET": list,  # whose members are never asked for
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class PickledCode(ValueError):
    """A pickle that would run code; the message is the name that it calls."""


@dataclass(frozen=True)
class Unread:
    """What stands for an object of a class that is not ours to make."""

    name: str


@dataclass(frozen=True)
class Constructor:
    """A function that a pickle may call, with arguments that the function must check itself."""

    make: Callable[..., Any]


def unpickle(
    file: Any, known: Mapping[str, Any], persistent: Callable[[Any], Any] | None = None
) -> Any:
    """The content of the pickle that begins at the position of a file, which ends behind it.

    Args:
        file: whose `read(n)` must not allocate more than is left in it.
        known: `module.name` to what it stands for; only a `Constructor` can be called.
        persistent: what an object that lies outside the pickle is, from its identifier.

    Returns:
        Numbers, strings, bytes, tuples, lists and dicts, and what `known` and `persistent` give.
        Sets are lists.

    Raises:
        PickledCode: for a name of a module that no file of weights has a reason to name.
        ValueError: for an instruction that files of weights do not have, and a malformed pickle.
    """
    machine = _Machine(known, persistent)
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(file)):
            if count == MOST_INSTRUCTIONS:
                raise ValueError(f"its pickle has more than {MOST_INSTRUCTIONS} instructions")
            machine.step(opcode.name, argument)
        return machine.stack.pop()
    except (IndexError, KeyError) as error:
        raise ValueError("its pickle takes what was never put") from error


class _Machine:
    """The stack and the memo of a pickle, and what each instruction does with them."""

    def __init__(
        self, known: Mapping[str, Any], persistent: Callable[[Any], Any] | None = None
    ) -> None:
        self.known, self.persistent = known, persistent
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        if name in _PUSHED:
            self.stack.append(argument)
        elif name in _MADE:
            self.stack.append(_MADE[name]())
        elif name in _TUPLES:
            size = _TUPLES[name]
            self.stack[-size:] = [tuple(self.stack[i] for i in range(-size, 0))]
        elif (act := getattr(self, f"_{name.lower()}", None)) is not None:
            act(argument)
        else:
            raise ValueError(f"its pickle has the instruction {name}, which weights do not need")

    def _nothing(self, _: Any) -> None:
        """What only helps a reader of streams, or ends the pickle."""

    _proto = _frame = _stop = _nothing

    # The memo: what is used twice.

    def _binput(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    _long_binput = _binput

    def _memoize(self, _: Any) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def _binget(self, index: int) -> None:
        self.stack.append(self.memo[index])

    _long_binget = _binget

    # Containers.

    def _mark(self, _: Any) -> None:
        self.marks.append(len(self.stack))

    def _above_mark(self) -> list[Any]:
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def _pop(self, _: Any) -> None:
        self.stack.pop()

    def _pop_mark(self, _: Any) -> None:
        self._above_mark()

    def _tuple(self, _: Any) -> None:
        self.stack.append(tuple(self._above_mark()))

    def _frozenset(self, _: Any) -> None:
        self.stack.append(self._above_mark())

    def _append(self, _: Any) -> None:
        self._extend([self.stack.pop()])

    def _appends(self, _: Any) -> None:
        self._extend(self._above_mark())

    _additems = _appends

    def _extend(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, list):
            target.extend(items)
        elif not isinstance(target, Unread):
            raise ValueError("its pickle appends to what is no list")

    def _setitem(self, _: Any) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._update([key, value])

    def _setitems(self, _: Any) -> None:
        self._update(self._above_mark())

    def _update(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, dict):
            fill(target, zip(items[::2], items[1::2], strict=True))
        elif not isinstance(target, Unread):
            raise ValueError("its pickle puts entries into what is no dict")

    # Objects.

    def _global(self, names: str) -> None:
        self.stack.append(self._find(*names.split(" ", 1)))

    def _stack_global(self, _: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if not (isinstance(name, str) and isinstance(module, str)):
            raise ValueError("its pickle names a module with what is no text")
        self.stack.append(self._find(module, name))

    def _find(self, module: str, name: str) -> Any:
        if len(module) + len(name) > _LONGEST_NAME:
            raise ValueError("its pickle names something with very many letters")
        full = f"{module}.{name}"
        if full in self.known:
            return self.known[full]
        builtin = module in ("builtins", "__builtin__") and name in _HARMLESS
        if module.partition(".")[0] in _ATTACKS and not builtin:
            raise PickledCode(full)
        return Unread(full)

    def _reduce(self, _: Any) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        self.stack.append(call(function, arguments))

    _newobj = _reduce

    def _newobj_ex(self, _: Any) -> None:
        self.stack.pop()  # arguments by name; nothing of ours takes any
        self._reduce(None)

    def _build(self, _: Any) -> None:
        """Attributes: of dicts and parameters they say nothing of the numbers."""
        state, target = self.stack.pop(), self.stack[-1]
        takes = getattr(target, "takes_state", None)
        if isinstance(target, dict | Unread) or (takes is not None and takes(state)):
            return
        raise ValueError("its pickle gives attributes to what has none")

    def _binpersid(self, _: Any) -> None:
        if self.persistent is None:
            raise ValueError("its pickle asks for an object that lies elsewhere")
        self.stack.append(self.persistent(self.stack.pop()))


def call(function: Any, arguments: Any) -> Any:
    """What a pickle gets that calls a function: nothing is called but a `Constructor`.

    Raises:
        ValueError: for what cannot be called, and for arguments that it does not take.
    """
    if isinstance(function, Unread):
        return function
    if not (isinstance(function, Constructor) and type(arguments) is tuple):
        raise ValueError("its pickle calls what is no function")
    try:
        return function.make(*arguments)
    except TypeError as error:
        raise ValueError("its pickle calls a function with the wrong arguments") from error


def fill(target: dict[Any, Any], pairs: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
    """Puts entries into a dict, if the keys are plain: hashing deep tuples overflows C's stack.

    Raises:
        ValueError: for another key.
    """
    for key, value in pairs:
        for part in key[: _LONGEST_KEY + 1] if type(key) is tuple else (key,):
            if not isinstance(part, str | int | float | bytes | None | Unread):
                raise ValueError("its pickle has a dict whose keys are neither text nor numbers")
        if type(key) is tuple and len(key) > _LONGEST_KEY:
            raise ValueError("its pickle has a dict whose keys are long tuples")
        target[key] = value
    return target
