"""All claims in one table, and of each claim a table of its parts."""

from collections.abc import Sequence

from depthjax.claims.blocks import folded
from depthjax.claims.judging import NOT_RUN, Judgement, PartVerdict, interval_text
from depthjax.tables import markdown_table, number
from publishing.material import Material
from publishing.names import MODELS, model_name
from publishing.numbers import decisive_part, number_told, sample_told
from publishing.verdicts import verdict_told


def claims_table(material: Material) -> str:
    """The verdicts on all claims, with the number that decided: a row for each."""
    headers = ["claim", "verdict", "decided by", "asked", "n", "of interest", "detectable", "plan"]
    rows = []
    for claim, judged in material.judged.items():
        row = [
            claim,
            verdict_told(judged, material.chosen),
            *["–"] * 5,
            ", ".join(judged.plans) or "–",
        ]
        part = decisive_part(judged)
        if part is not None and part.whole is not None:
            row[2] = f"{part.part.says}: {number_told(part, material)}"
            row[3:6] = part.part.rule, sample_told(part, material), number(float(part.part.effect))
            row[6] = number(part.whole.bound.detectable(part.whole.interval))
        rows.append(row)
    return markdown_table(headers, rows)


def part_tables(material: Material) -> str:
    """Why each claim that was run has its verdict, folded away: a table of its parts."""
    tables = [
        _parts(judged, material) for judged in material.judged.values() if judged.verdict != NOT_RUN
    ]
    return folded("Why, part by part", "\n\n".join(tables))


def _parts(judged: Judgement, material: Material) -> str:
    parts = sorted(judged.parts, key=lambda part: not part.part.votes)
    several = len(_models(parts, material)) > 1
    rows = [_row(part, material, of_model=several) for part in parts]
    headers = ["part", "vote", "verdict", "number", "asked", "of interest", "places"]
    paper = f" The paper: {judged.claim.paper}." if judged.claim.paper else ""
    head = f"**{judged.claim.id}**: {verdict_told(judged, material.chosen)}.{paper}"
    return f"{head}\n\n{markdown_table(headers, rows)}"


def _models(parts: Sequence[PartVerdict], material: Material) -> list[str]:
    """The networks of parts in print, of runs that are of a single one."""
    runs = {one.run for part in parts for one in part.findings}
    models = dict.fromkeys(model_name(material.by_name[run]) for run in sorted(runs))
    return [model for model in models if model in MODELS.values()]


def _row(part: PartVerdict, material: Material, *, of_model: bool) -> list[str]:
    vote = "yes" if part.part.votes else "–"
    told = number_told(part, material)
    models = _models([part], material)
    if of_model and not part.apart and len(models) == 1:
        told += f" ({models[0]})"
    if part.apart and part.whole is not None:
        told += f"; their mean {interval_text(part.whole)}"
    return [
        *(part.part.says, vote, part.verdict, told, part.part.rule),
        *(number(float(part.part.effect)), str(len(part.findings) or "–")),
    ]
