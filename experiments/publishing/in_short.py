"""The table that RESULTS.md begins with: each question, its answer in a sentence, and how sure."""

import re
from collections.abc import Mapping
from math import isnan
from string import Formatter

from depthjax.claims.judging import PartVerdict, interval_text
from depthjax.tables import interval_words, markdown_table
from publishing.answers import answer_word, asked_of, verdicts_told
from publishing.material import Material
from publishing.numbers import sample_told
from publishing.questions import QUESTIONS, Question
from publishing.told import filled
from publishing.verdicts import verdict_told

HEADERS = ["question", "answer", "how sure"]


def in_short(material: Material) -> str:
    """A row for each question of `QUESTIONS`.

    Its sentence is printed only under the answer that it was written for, and only if all of its
    numbers are there; otherwise the verdicts stand in its place.
    """
    return markdown_table(HEADERS, [_row(one, material) for one in QUESTIONS], left=len(HEADERS))


def _row(question: Question, material: Material) -> list[str]:
    last = re.split(r"(?<=[.?]) ", question.asks)[-1]
    link = f"[{question.heading}](#{_anchor(question.heading)}) {last}"
    judged = asked_of(question, material)
    word = answer_word(judged)
    parts = _parts(question, material)
    if parts is None or word != question.short.word:
        return [link, f"**{word}.**", verdicts_told(judged, material.chosen)]
    numbers = {
        name: interval_words(part.whole.interval.estimate, *_NO_ENDS)
        for name, part in parts.items()
        if part.whole is not None
    }
    sentence = filled(question.short.sentence, question.short.told, material.runs, numbers)
    if not sentence:
        return [link, f"**{word}.**", verdicts_told(judged, material.chosen)]
    sure = []
    for name, part in parts.items():
        if part.whole is not None:
            claim = question.short.numbers[name][0]
            verdict = verdict_told(material.judged[claim], material.chosen)
            told = f"{interval_text(part.whole)}, n = {sample_told(part, material)}"
            sure.append(f"{claim} ({verdict}): {told}")
    return [link, f"**{word}.** {sentence}", "<br>".join(sure)]


_NO_ENDS = (float("nan"),) * 2


def _parts(question: Question, material: Material) -> Mapping[str, PartVerdict] | None:
    """The parts whose numbers its sentence has, in their order; None if one has no number."""
    found = {}
    for _, name, _, _ in Formatter().parse(question.short.sentence):
        if name in question.short.numbers:
            claim, part = question.short.numbers[name]
            judged = next(one for one in material.judged[claim].parts if one.name == part)
            if judged.whole is None or judged.apart or isnan(judged.whole.interval.estimate):
                return None
            found[name] = judged
    return found


def _anchor(heading: str) -> str:
    """What GitHub calls a heading in links."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
