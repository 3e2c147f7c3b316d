"""Programs of JAX, and those that stand within their equations: loops, branches, calls."""

from collections.abc import Iterator

from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn


def programs_within(equation: JaxprEqn) -> Iterator[ClosedJaxpr | Jaxpr]:
    """The programs that an equation runs."""
    for setting in equation.params.values():
        for one in setting if isinstance(setting, tuple | list) else [setting]:
            if isinstance(one, ClosedJaxpr | Jaxpr):
                yield one


def equations_of(program: ClosedJaxpr | Jaxpr) -> Iterator[JaxprEqn]:
    """Every operation of a program, those within its equations too."""
    for equation in program.eqns:
        yield equation
        for inner in programs_within(equation):
            yield from equations_of(inner)


def primitives_of(program: ClosedJaxpr | Jaxpr) -> Iterator[str]:
    """The name of every operation of a program, those within its equations too."""
    return (equation.primitive.name for equation in equations_of(program))
