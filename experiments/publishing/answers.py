"""The sections of RESULTS.md on each question: its answer, from the verdicts on its claims."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from depthjax.claims.blocks import folded
from depthjax.claims.judging import (
    NOT_RUN,
    NOT_SUPPORTED,
    SUPPORTED,
    VERDICTS,
    Judgement,
    PartVerdict,
    interval_text,
)
from depthjax.claims.paper import CLAIMS
from depthjax.claims.sensitivity import by_cautious_intervals
from depthjax.claims.tables import UNCORRECTED
from publishing.material import Material
from publishing.names import told_apart
from publishing.numbers import decided_by
from publishing.questions import QUESTIONS, Question
from publishing.told import filled
from publishing.verdicts import AFTERWARDS, verdict_told


def answers(material: Material) -> Iterator[str]:
    """The sections of all questions, and one of claims that no question names."""
    named = {claim for question in QUESTIONS for claim in question.claims}
    rest = tuple(claim for claim in CLAIMS if claim not in named)
    asks = "Does the paper hold in what it says beside these questions?"
    others = (Question("Other statements", asks, rest, (), {}),) if rest else ()
    for question in (*QUESTIONS, *others):
        yield from _section(question, material)


def asked_of(question: Question, material: Material, *, beside: bool = False) -> list[Judgement]:
    """The verdicts on the claims that answer a question, or on those that are asked beside it."""
    return [
        material.judged[claim]
        for claim in question.claims
        if claim in CLAIMS and (claim in question.beside) == beside
    ]


def answer_word(judged: Sequence[Judgement]) -> str:
    """The answer to a question in a word or two, from the verdicts of the claims it rests on."""
    verdicts = [one.verdict for one in judged]
    ran = {verdict for verdict in verdicts if verdict != NOT_RUN}
    if not ran:
        return "Not run yet"
    if set(verdicts) == {SUPPORTED}:
        return "Yes"
    if ran == {NOT_SUPPORTED}:
        return "No"
    if SUPPORTED not in ran:
        return "Not shown so far" if NOT_SUPPORTED in ran else "These runs do not tell"
    return "In part" if NOT_SUPPORTED in ran else "Yes as far as decided"


def verdicts_told(judged: Sequence[Judgement], chosen: Collection[str] = ()) -> str:
    """Which claims came out how: `C1 and C3 supported; C2 undecided at this scale`.

    Args:
        judged: the claims.
        chosen: those whose run was chosen when its results were known.
    """
    told = []
    for verdict in VERDICTS:
        claims = [one.claim.id for one in judged if one.verdict == verdict]
        if claims:
            told.append(f"{_listed(claims)} {verdict}")
    lost = [one.claim.id for one in judged if one.survives is False]
    after = [one.claim.id for one in judged if one.claim.id in chosen]
    notes = [
        f"{_listed(claims)} {note}"
        for claims, note in ((lost, UNCORRECTED), (after, AFTERWARDS))
        if claims
    ]
    return "; ".join(told) + (f" ({'; '.join(notes)})" if notes else "")


def _listed(words: Sequence[str]) -> str:
    """`C1`, `C1 and C2`, `C1, C2 and C3`."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def counted(judged: Sequence[Judgement], chosen: Collection[str] = ()) -> str:
    """`3 supported (1 of them not after correction over the claims), 2 not run`.

    Args:
        judged: the claims.
        chosen: those whose run was chosen when its results were known.
    """
    told = []
    for verdict, count in Counter(one.verdict for one in judged).most_common():
        own = [one for one in judged if one.verdict == verdict]
        notes = {
            UNCORRECTED: sum(one.survives is False for one in own),
            AFTERWARDS: sum(one.claim.id in chosen for one in own),
        }
        noted = ", ".join(f"{number} of them {note}" for note, number in notes.items() if number)
        told.append(f"{count} {verdict}" + (f" ({noted})" if noted else ""))
    return ", ".join(told)


def cautiously(judged: Sequence[Judgement]) -> str:
    """Which verdicts another kind of interval would change."""
    findings = [one for judgement in judged for part in judgement.parts for one in part.findings]
    others = by_cautious_intervals(findings, [judgement.claim for judgement in judged])
    told = ", ".join(f"{claim} would change, to {verdict}" for claim, verdict in others.items())
    kind = "[more cautious intervals](docs/claims.md#what-a-verdict-rests-on)"
    return f"With {kind} {f'only {told}' if told else 'no verdict would change'}."


def _section(question: Question, material: Material) -> Iterator[str]:
    """The question, its answer, what each claim rests on, figures, and what was not run."""
    judged, others = (asked_of(question, material, beside=beside) for beside in (False, True))
    yield f"## {question.heading}"
    answer = f"**{answer_word(judged)}**: {verdicts_told(judged, material.chosen)}."
    if others:
        answer += f" Beside the question: {verdicts_told(others, material.chosen)}."
    yield f"{question.asks}\n{answer}"
    yield _list(judged, material)
    if others:
        yield f"Also asked here, beside the question:\n\n{_list(others, material)}"
    beyond = "\n".join(f"- {one}" for one in question.beyond)
    if text := filled(beyond, question.told, material.runs):
        yield f"**Beyond the claims**, not planned before these runs:\n\n{text}"
    runs = [run for run in material.runs if run.script in question.scripts]
    for figure, words in question.figures.items():
        shown = [run for run in runs if (run.folder / f"{figure}.webp").is_file()]
        largest = max((run.size for run in shown), default=0)
        shown = [run for run in shown if run.size == largest]
        apart = told_apart(shown)
        for run in shown:
            path = f"{material.folder.name}/{run.name}/{figure}.webp"
            own = words.format_map(run.config)
            own = f"{apart[run.name]}. {own}" if apart[run.name] else own
            yield f"![{own}]({path})\n\n*{own} From {material.link(run)}.*"
    yield from _waiting(question, material)


def _waiting(question: Question, material: Material) -> Iterator[str]:
    """The flag files of a question's studies of which no rows were kept."""
    own = [one for one in material.waiting if one.script in question.scripts]
    kinds = {
        "Never run": [one for one in own if not one.ran],
        "Run, rows not kept (its flag file says where, how long, and what came out)": [
            one for one in own if one.ran
        ],
    }
    for title, files in kinds.items():
        if files:
            lines = "\n".join(f"- {one.purpose}: `{one.command}`" for one in files)
            yield folded(f"{title}: {len(files)} flag file{'s' * (len(files) > 1)}", lines)


def _list(judged: Sequence[Judgement], material: Material) -> str:
    return "\n".join(line for one in judged for line in _lines(one.claim.id, material))


def _lines(claim: str, material: Material) -> Iterator[str]:
    """A line for a claim; below it one for each run about it that does not judge it alone."""
    judged = material.judged[claim]
    text = f"- **{claim}** {judged.claim.sentence}"
    text += f" *{verdict_told(judged, material.chosen).capitalize()}*"
    if claim not in material.judges:
        yield f"{text}."
        return
    decided = decided_by(judged, material)
    yield f"{text}: {decided}; {material.judges_of(claim)}.{_supported_of(judged)}"
    judges = material.judges[claim].values()
    alone = {runs[0].name for runs in judges if len(runs) == 1}
    alone -= {run.name for runs in judges if len(runs) > 1 for run in runs}
    over = material.passed_over.get(claim, {})
    for run in material.runs:
        for other in material.alone[run.name]:
            if other.claim.id == claim and run.name not in alone:
                told = [_measured(part) for part in other.parts if part.part.votes and part.whole]
                if told:  # parts without a vote are on the run's page
                    why = f" (not used: {over[run.name]})" if run.name in over else ""
                    yield f"  - {material.link(run)}{why}: {'; '.join(told)}."


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
