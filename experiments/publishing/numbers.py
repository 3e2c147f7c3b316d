"""The number of a part of a claim, as the page prints it."""

from math import isnan

from depthjax.claims.judging import Judgement, PartVerdict, interval_text
from publishing.material import Material
from publishing.names import network_names


def number_told(part: PartVerdict, material: Material) -> str:
    """A part's number with its interval; of networks that contradict each other that of each."""
    if part.whole is None:
        return "not measured"
    if part.apart:
        names = network_names(list(part.apart), material.by_name)
        each = zip(part.apart.values(), names, strict=True)
        return ", ".join(f"{interval_text(one)} ({name})" for one, name in each)
    if isnan(part.whole.interval.estimate):
        return "not reached"
    return interval_text(part.whole)


def sample_told(part: PartVerdict, material: Material, *, unit: str = "") -> str:
    """What the number of a part rests on: `3 × 5`, `3 × 64 filters`, `3 × 5 at 3 places, exact`.

    Args:
        part: with a number.
        material: with the runs that the number is of.
        unit: what stands behind seeds and images.
    """
    assert part.whole is not None
    fixed = part.whole.fixed
    found = (part.findings[0] if fixed == "exact" else part.whole).interval
    if fixed == "images" and found.images == 1:
        return f"{found.seeds} networks, one photograph"
    if fixed == "seeds" and found.seeds == 1:
        return f"one network, {found.images} photographs"
    scripts = {material.by_name[one.run].script for one in part.findings}
    text = f"{found.seeds} × {found.images}{' filters' if scripts == {'filters.py'} else unit}"
    if fixed == "exact":
        several = len(part.findings) > 1
        text += (f" at {len(part.findings)} places" if several else "") + ", exact"
    return text


def decisive_part(judged: Judgement) -> PartVerdict | None:
    """The part whose number decided about a claim."""
    decisive = judged.decisive
    return next((one for one in judged.parts if decisive and one.whole is decisive), None)


def decided_by(judged: Judgement, material: Material) -> str:
    """The number that decided about a claim, with what it rests on."""
    part = decisive_part(judged)
    if part is None or part.whole is None:
        return "a part was not measured"
    whole = part.whole
    where = whole.where.partition(", mean of ")[0] if part.apart else whole.where
    text = f"{whole.statistic}: {number_told(part, material)}; asked {whole.rule}, {where}"
    text += f"; {sample_told(part, material, unit=' seeds × images')}"
    if part.apart:
        text += f"; by the rule their mean decides, {interval_text(whole)}, which tells of neither"
    return text
