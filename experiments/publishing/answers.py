"""The first part of RESULTS.md: each question with its answer, from the verdicts on its claims."""

from collections import Counter
from collections.abc import Iterator, Sequence

from depthjax.claims.blocks import folded
from depthjax.claims.judging import (
    NOT_RUN,
    NOT_SUPPORTED,
    SUPPORTED,
    Judgement,
    PartVerdict,
    interval_text,
)
from depthjax.claims.paper import CLAIMS
from depthjax.claims.sensitivity import by_cautious_intervals
from depthjax.claims.tables import UNCORRECTED, verdict_text
from publishing.material import Material, decided_by
from publishing.questions import QUESTIONS, Question
from publishing.told import filled


def answers(material: Material) -> Iterator[str]:
    """The sections of all questions, and one of claims that no question names."""
    named = {claim for question in QUESTIONS for claim in question.claims}
    rest = tuple(claim for claim in CLAIMS if claim not in named)
    asks = "Does the paper hold in what it says beside these questions?"
    others = (Question("Other statements", asks, rest, (), {}),) if rest else ()
    for question in (*QUESTIONS, *others):
        yield from _section(question, material)


def counted(judged: Sequence[Judgement]) -> str:
    """`3 supported (1 of them not after correction), 2 not run`."""
    verdicts = Counter(one.verdict for one in judged)
    lost = sum(one.survives is False for one in judged)
    note = {SUPPORTED: f" ({lost} of them {UNCORRECTED})"} if lost else {}
    return ", ".join(
        f"{count} {verdict}{note.get(verdict, '')}" for verdict, count in verdicts.most_common()
    )


def cautiously(judged: Sequence[Judgement]) -> str:
    """Which verdicts another kind of interval would change."""
    findings = [one for judgement in judged for part in judgement.parts for one in part.findings]
    others = by_cautious_intervals(findings, [judgement.claim for judgement in judged])
    told = ", ".join(f"{claim} ({verdict})" for claim, verdict in others.items())
    kind = "[too wide rather than too narrow](docs/claims.md#what-a-verdict-rests-on)"
    return f"By intervals that are {kind} all would be the same{f' but {told}' if told else ''}."


def _section(question: Question, material: Material) -> Iterator[str]:
    """The question, its answer, what each claim rests on, figures, and what was not run."""
    claims = [claim for claim in question.claims if claim in CLAIMS]
    yield f"## {question.heading}"
    asked = [material.judged[claim] for claim in claims if claim not in question.beside]
    yield f"{question.asks}\n{_answer(asked)}"
    yield "\n".join(line for claim in claims for line in _lines(claim, material))
    beyond = "\n".join(f"- {one}" for one in question.beyond)
    if text := filled(beyond, question.told, material.runs):
        yield f"**Beyond the claims**, not planned before these runs:\n\n{text}"
    runs = [run for run in material.runs if run.script in question.scripts]
    for figure, words in question.figures.items():
        shown = [run for run in runs if (run.folder / f"{figure}.webp").is_file()]
        largest = max((run.size for run in shown), default=0)
        for run in (one for one in shown if one.size == largest):
            path = f"{material.folder.name}/{run.name}/{figure}.webp"
            yield f"![{words}]({path})\n\n*{words} From {material.link(run)}.*"
    own = [one for one in material.waiting if one.script in question.scripts]
    if own:
        lines = "\n".join(f"- {one.purpose}: `{one.command}`" for one in own)
        yield folded(f"Not run yet, or not kept: {len(own)} flag files", lines)


def _answer(judged: Sequence[Judgement]) -> str:
    """In words, from the verdicts of the claims that a question rests on."""
    verdicts = [one.verdict for one in judged]
    ran = [verdict for verdict in verdicts if verdict != NOT_RUN]
    if not ran:
        return "**Not run yet.**"
    if set(verdicts) == {SUPPORTED}:
        words = "Yes"
    elif set(ran) == {NOT_SUPPORTED}:
        words = "No"
    elif not {SUPPORTED, NOT_SUPPORTED} & set(ran):
        words = "These runs do not tell"
    elif SUPPORTED not in ran:
        words = "Not shown so far"
    else:
        words = "In part"
    return f"**{words}**: of {len(judged)} claims that answer it {counted(judged)}."


def _lines(claim: str, material: Material) -> Iterator[str]:
    """A line for a claim; below it one for each run about it that does not judge it alone."""
    judged = material.judged[claim]
    text = f"- **{claim}** {judged.claim.sentence}"
    text += f" *{verdict_text(judged.record()).capitalize()}*"
    if claim not in material.judges:
        yield f"{text}."
        return
    yield f"{text}: {decided_by(judged)}; {material.judges_of(claim)}.{_supported_of(judged)}"
    judges = material.judges[claim].values()
    alone = {runs[0].name for runs in judges if len(runs) == 1}
    alone -= {run.name for runs in judges if len(runs) > 1 for run in runs}
    for run in material.runs:
        for other in material.alone[run.name]:
            if other.claim.id == claim and run.name not in alone:
                told = [_measured(part) for part in other.parts if part.part.votes and part.whole]
                if told:  # parts without a vote are on the run's page
                    yield f"  - {material.link(run)}: {'; '.join(told)}."


def _supported_of(judged: Judgement) -> str:
    """What a claim that is not supported as a whole has that is."""
    if judged.verdict == SUPPORTED:
        return ""
    held = [
        _measured(part)
        for part in judged.parts
        if part.part.votes and part.whole and part.verdict == SUPPORTED
    ]
    return f" Of its parts, {'; '.join(held)}." if held else ""


def _measured(part: PartVerdict) -> str:
    assert part.whole is not None
    return f"“{part.part.says}” is {part.verdict} ({interval_text(part.whole)})"
