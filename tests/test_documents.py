"""README.md, RESULTS.md and the guides: what they point to, call and run is there."""

import ast
import importlib
import inspect
import itertools
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import jax
import pytest
import survey_document
from absl import flags
from absl.testing import flagsaver
from script_loading import loaded

import depthjax
from depthjax.cli.commands import commands as commands_of_program

ROOT = Path(__file__).parents[1]
GUIDES = sorted((ROOT / "docs").glob("*.md"))
FILLED = [ROOT / "README.md", *GUIDES]
KEPT = sorted((ROOT / "results").rglob("*.md"))
MADE = [ROOT / "RESULTS.md", *KEPT]
DOCUMENTS = [*FILLED, *MADE, ROOT / "CHANGELOG.md", ROOT / "colab" / "README.md"]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")

every_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT))
)


def read(document: Path) -> str:
    return document.read_text(encoding="utf-8")


def blocks(document: Path, *languages: str) -> list[str]:
    """Its fenced code in these languages."""
    return [code for language, code in FENCE.findall(read(document)) if language in languages]


def prose(document: Path) -> str:
    """The text without fenced code."""
    return FENCE.sub("", read(document))


# ------------------------------------------------------------------------------------------- links


def anchors(document: Path) -> set[str]:
    """What GitHub calls its headings."""
    found: Counter[str] = Counter()
    names = set()
    for heading in re.findall(r"^#+ (.+)$", prose(document), re.MULTILINE):
        words = re.sub(r"\]\([^)]*\)", "", heading).lower()
        name = re.sub(r"[^\w\- ]", "", words).strip().replace(" ", "-")
        names.add(f"{name}-{found[name]}" if found[name] else name)
        found[name] += 1
    return names


def links(document: Path) -> list[str]:
    """Where it points to inside the repository."""
    targets = re.findall(r"\]\(([^)\s]+)\)", INLINE.sub("", prose(document)))
    return [target for target in targets if not re.match(r"\w+:", target)]


@every_document
def test_links_lead_to_files_and_headings_that_are_there(document):
    for link in links(document):
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists() and target.is_relative_to(ROOT), f"{link} leads nowhere"
        if anchor:
            assert anchor in anchors(target), f"{link}: no such heading in {target.name}"


def test_headings_are_called_what_github_calls_them(tmp_path):
    (tmp_path / "a.md").write_text(
        "# A `b` (c), d\n## Ü: x-y_z\n# [A](b) b c d\n```sh\n# no\n```\n"
    )
    assert anchors(tmp_path / "a.md") == {"a-b-c-d", "ü-x-y_z", "a-b-c-d-1"}


def test_the_readme_is_a_front_page_that_leads_to_every_guide():
    readme = ROOT / "README.md"
    assert len(read(readme).splitlines()) <= 280, "move the detail into a guide"
    listed = re.findall(r"^\| \[[^]]+\]\((docs/\w+\.md)\)", read(readme), re.MULTILINE)
    assert sorted(listed) == [f"docs/{guide.name}" for guide in GUIDES]
    for guide in GUIDES:
        assert {"../README.md", "../README.md#guides"} <= set(links(guide)), "it leads back"


# ---------------------------------------------------------------------------------------- commands


def commands(text: str) -> Iterator[list[str]]:
    """`experiments/….py` and its words, wherever `python` runs it, inside quotes too."""
    words = shlex.split(text, comments=True)
    for index, (word, following) in enumerate(itertools.pairwise([*words, ""])):
        if word.endswith("python") and following.startswith("experiments/"):
            yield words[index + 1 :]
        elif "python experiments/" in word:
            yield from commands(word)


def shown_commands(document: Path) -> Iterator[list[str]]:
    """Of fenced code, continued lines put together, and of `code` in the text."""
    for code in blocks(document, "sh", "bash"):
        for line in code.replace("\\\n", " ").splitlines():
            yield from commands(line)
    for code in INLINE.findall(prose(document)):
        if "python experiments/" in code and "…" not in code:
            yield from commands(code)


def test_commands_are_found_wherever_they_stand():
    text = "ssh NAME --command='cd x && .venv/bin/python experiments/a.py --b=\"c d\"'  # a comment"
    assert list(commands(text)) == [["experiments/a.py", "--b=c d"]]
    assert list(commands("srun python experiments/a.py --b c  # 'x")) == [
        ["experiments/a.py", "--b", "c"]
    ]


WRONG = [
    ["experiments/invert.py", "--flagfile=experiments/flags/no.flags"],
    ["experiments/invert.py", "--size=small"],
    ["experiments/zoo.py", "--no_such_flag"],
]


@pytest.fixture(scope="module")
def answer():
    """What the scripts say to every command that documents and flag files show."""
    found = [command for document in DOCUMENTS for command in shown_commands(document)]
    for path in sorted((ROOT / "experiments" / "flags").glob("*.flags")):
        found += commands(read(path).partition("\n")[0].removeprefix("# "))
    program = [sys.executable, str(ROOT / "tests" / "helpers" / "ask_scripts.py")]
    asked = json.dumps(found + WRONG)
    ended = subprocess.run(
        program, input=asked, capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert len(found) > 100 and ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_every_command_is_one_that_its_script_takes(answer):
    """Scripts, flags, their values, flag files and all that is in them."""
    assert list(answer["refused"]) == [" ".join(command) for command in WRONG]


def test_what_commands_ask_for_is_described_as_they_are(answer):
    assert answer["described"] == commands_of_program(), (
        "run python -m depthjax.cli.describing > commands.json, and move that into depthjax/cli"
    )


@every_document
def test_flags_spoken_of_are_there(document, answer):
    spoken = re.findall(r"(?<![\w-])--(\w+)", "\n".join(INLINE.findall(prose(document))))
    known = {*answer["flags"], "flagfile", "help"}
    assert set(spoken) <= known | {f"no{flag}" for flag in known}


@every_document
def test_flag_files_and_make_targets_are_there(document):
    for name in re.findall(r"experiments/flags/(\w+\.flags)", read(document)):
        assert (ROOT / "experiments" / "flags" / name).is_file(), name
    targets = re.findall(r"^(\w+):", read(ROOT / "Makefile"), re.MULTILINE)
    code = [*blocks(document, "sh", "bash"), *INLINE.findall(prose(document))]
    for target in re.findall(r"^make (\w+)", "\n".join(code), re.MULTILINE):
        assert target in targets, f"make {target}"


# ------------------------------------------------------------------------------------------ Python


def named(path: str) -> object:
    """What a dotted name stands for; modules are imported on the way."""
    found: object = None
    for index, name in enumerate(path.split("."), start=1):
        if found is not None and hasattr(found, name):
            found = getattr(found, name)
        else:
            found = importlib.import_module(".".join(path.split(".")[:index]))
    return found


def imported(tree: ast.Module) -> dict[str, str]:
    """The dotted name of whatever it imports, by the name that it gets."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            names |= {one.asname or one.name: f"{module}{one.name}" for one in node.names}
    return names


def called(tree: ast.Module, names: dict[str, str]) -> Iterator[tuple[ast.Call, str]]:
    """Calls of what was imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            text = ast.unparse(node.func)
            first, *rest = text.split(".")
            if first in names and re.fullmatch(r"[\w.]+", text):  # no call of what a call returns
                yield node, ".".join([names[first], *rest])


@every_document
def test_python_shown_imports_and_calls_what_there_is(document):
    names = {"depthjax": "depthjax", "jax": "jax"}
    for code in blocks(document, "python"):
        tree = ast.parse(code)
        names |= imported(tree)
        for path in names.values():
            named(path)
        for call, path in called(tree, names):
            keywords = {keyword.arg: None for keyword in call.keywords}
            inspect.signature(named(path)).bind(*call.args, **keywords)
    for path in re.findall(r"`(depthjax(?:\.\w+)+)", prose(document)):
        named(path)


def test_python_that_could_not_run_is_noticed():
    names = imported(ast.parse("import jax\nfrom depthjax import jacobian as j"))
    assert names == {"jax": "jax", "j": "depthjax.jacobian"}
    assert named("jax") is jax and named("depthjax.jacobian") is depthjax.jacobian
    (call,) = called(ast.parse("a = j.moments(maps, 0, wrong=1)"), names)
    assert call[1] == "depthjax.jacobian.moments"
    with pytest.raises(TypeError, match="wrong"):
        inspect.signature(named(call[1])).bind(*call[0].args, wrong=None)
    with pytest.raises(ImportError):
        named("depthjax.no_such_thing")


# --------------------------------------------------------------------------------------- contents


@pytest.fixture
def document_script(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "experiments")
    with loaded("document") as script, flagsaver.flagsaver():
        yield script


def test_each_generated_block_is_in_one_document_that_the_script_fills(document_script):
    assert [ROOT / path for path in document_script.DOCUMENTS] == FILLED
    begun, ended = (
        [name for path in FILLED for name in re.findall(rf"<!-- {word} (\w+) -->", read(path))]
        for word in ("begin", "end")
    )
    assert begun == ended and len(set(begun)) == len(begun)
    assert {"benchmark", "presets", "speed", "resnet50_128"} < set(begun)
    assert set(document_script.GENERATED) < set(begun)


def test_blocks_that_need_no_run_are_up_to_date(document_script, tmp_path):
    copies = [Path(shutil.copy(path, tmp_path)) for path in FILLED]
    flags.FLAGS.documents = [str(path) for path in copies]
    shutil.copytree(ROOT / "results", tmp_path / "results")
    flags.FLAGS.results, flags.FLAGS.page = str(tmp_path / "results"), str(tmp_path / "RESULTS.md")
    document_script.main()
    for path, copy in zip(FILLED, copies, strict=True):
        assert read(copy) == read(path), "run experiments/document.py"
    # Also what is made of results/ alone: all verdicts, tables and answers, byte for byte.
    for path in MADE:
        copy = tmp_path / path.relative_to(ROOT)
        assert copy.read_bytes() == path.read_bytes(), "run experiments/document.py"
    assert sorted((tmp_path / "results").rglob("*.md")) == [
        tmp_path / path.relative_to(ROOT) for path in KEPT
    ]


def test_what_is_told_beyond_the_claims_has_its_numbers_from_kept_runs(document_script):
    from publishing.material import material_in
    from publishing.questions import QUESTIONS
    from publishing.told import Told, filled

    kept = material_in(ROOT / "results").runs
    for question in QUESTIONS:
        for sentence in question.beyond:
            assert filled(sentence, question.told, kept)
            assert not question.told or filled(sentence, question.told, []) == ""
    elsewhere = Told(kept[0].name, "C1", "no such place")
    with pytest.raises(ValueError, match="0 findings"):
        filled("{one}", {"one": elsewhere}, kept)


def test_the_page_begins_with_a_sentence_for_each_question(document_script, tmp_path):
    from publishing.answers import answer_word, asked_of
    from publishing.in_short import in_short
    from publishing.material import material_in
    from publishing.questions import QUESTIONS

    material = material_in(ROOT / "results")
    rows = in_short(material).splitlines()[2:]
    assert read(ROOT / "RESULTS.md").splitlines().index(rows[0]) < 10
    for row, question in zip(rows, QUESTIONS, strict=True):
        # Or the sentence would not be printed: the verdicts are no longer what it was written for.
        assert answer_word(asked_of(question, material)) == question.short.word
        assert question.short.sentence.partition("{")[0] in row and "{" not in row
        for claim, _ in question.short.numbers.values():
            assert f"{claim} (" in row and ", n = " in row
    (link,) = {anchor for row in rows for anchor in re.findall(r"\(#(how[^)]*)\)", row)}
    assert link == "how-wide-must-a-layer-be"
    assert in_short(material_in(tmp_path)).count("**Not run yet.**") == len(QUESTIONS)


@pytest.mark.parametrize(
    ("verdicts", "word"),
    [
        ("", "Not run yet"),
        ("ss", "Yes"),
        ("su", "Yes as far as decided"),
        ("s-", "Yes as far as decided"),
        ("sn", "In part"),
        ("sun", "In part"),
        ("nn", "No"),
        ("n-", "No"),
        ("nu", "Not shown so far"),
        ("uu", "These runs do not tell"),
    ],
)
def test_an_answer_is_what_the_verdicts_on_its_claims_say(document_script, verdicts, word):
    from publishing.answers import answer_word, verdicts_told

    words = {
        "s": "supported",
        "n": "not supported",
        "u": "undecided at this scale",
        "-": "not run",
    }
    judged = [
        SimpleNamespace(claim=SimpleNamespace(id=f"C{n}"), verdict=words[one], survives=n != 1)
        for n, one in enumerate(verdicts)
    ]
    assert answer_word(judged) == word
    if verdicts == "ss":
        note = "not after correction over the claims"
        assert verdicts_told(judged) == f"C0 and C1 supported (C1 {note})"
    if verdicts == "sun":
        told = "C0 supported; C2 not supported; C1 undecided at this scale"
        assert verdicts_told(judged).startswith(told)


def test_networks_that_contradict_each_other_are_printed_one_by_one(document_script):
    from publishing.material import material_in
    from publishing.numbers import decided_by, decisive_part, number_told

    material = material_in(ROOT / "results")
    apart = {
        claim: number_told(part, material)
        for claim, judged in material.judged.items()
        if (part := decisive_part(judged)) is not None and part.apart
    }
    assert set(apart) == {"C14", "C18"}
    assert re.fullmatch(r"0.818 \[.*] \(ResNet-18\), 48.4 \[.*] \(ResNet-50\)", apart["C18"])
    assert re.fullmatch(r"1.7 \[.*] \(photos\), 1.03 \[.*] \(noise\)", apart["C14"])
    told = decided_by(material.judged["C18"], material)
    assert f"{apart['C18']}; asked within 0.5 2" in told and "mean of" not in told


def test_what_a_number_rests_on_is_called_what_it_is(document_script):
    from publishing.material import material_in
    from publishing.numbers import decisive_part, sample_told

    material = material_in(ROOT / "results")

    def told(claim: str, **unit: str) -> str:
        return sample_told(decisive_part(material.judged[claim]), material, **unit)

    assert told("C1") == "3 × 5" and told("C1", unit=" seeds × images") == "3 × 5 seeds × images"
    assert told("C4") == "3 × 5 at 3 places, exact" and told("C9") == "3 × 3, exact"
    assert told("C6") == "10 networks, one photograph"
    assert told("C17", unit=" seeds × images") == "3 × 64 filters"


def test_a_verdict_says_if_its_run_was_chosen_when_both_results_were_known(document_script):
    from publishing.answers import counted, verdicts_told
    from publishing.material import material_in
    from publishing.verdicts import chosen_afterwards, verdict_told

    material = material_in(ROOT / "results")
    assert material.chosen == {"C1", "C3"} and chosen_afterwards({}) == frozenset()
    one, two = (material.judged[claim] for claim in ("C1", "C2"))
    words = "supported, by a run chosen afterwards"
    assert verdict_told(one, material.chosen) == words and "chosen" not in verdict_told(two, set())
    assert counted([one, one], {"C1"}) == "2 supported (2 of them by a run chosen afterwards)"
    assert verdicts_told([one], {"C1"}) == "C1 supported (C1 by a run chosen afterwards)"
    other = {"C1": {"part": [material.by_name["depth_resnet18_224"]]}}
    assert chosen_afterwards(other) == frozenset()


def test_places_runs_and_networks_are_called_by_what_they_share_and_what_they_do_not(
    document_script,
):
    from publishing.material import material_in
    from publishing.names import places_told, told_apart

    material = material_in(ROOT / "results")

    def told(claim: str, part: str) -> str:
        parts = {one.name: one for one in material.judged[claim].parts}
        return places_told(parts[part].findings, material.by_name)

    trained = "photos, one trained network: all 5 layers"
    lite, thin = "EfficientNet-Lite0", "ResNet-50 of half width"
    of_trained = told("C10", "natural_distance_lower").split("; ")
    assert {f"{lite}, {trained}", f"{thin}, {trained}"} <= set(of_trained)
    of_noise = "noise, layer4: photographs, 1/f noise, uniform noise"
    assert told("C14", "recovered_come_nearer").endswith(f"; {of_noise}")
    assert told("C2", "recipe_matches") == "ResNet-18, layer4; ResNet-50, layer4"

    runs = material.by_name
    accurate = [runs[f"depth_resnet18_224{end}"] for end in ("", "_accurate")]
    assert [words.split(" (")[0] for words in told_apart(accurate).values()] == [
        "without soft gates",
        "with soft gates",
    ]
    both = [runs["gallery_lite0_224"], runs["gallery_thin_224"]]
    assert list(told_apart(both).values()) == [lite, thin]
    assert list(told_apart(both[:1]).values()) == [""]


def test_flag_files_without_a_kept_run_are_of_claims_and_told_by_whether_they_ran(document_script):
    from publishing.runs import planned

    waiting = {one.name: one for one in planned([])}
    assert {"recipe_vgg16_224", "quick", "mlp2000_29", "prediction_quick"}.isdisjoint(waiting)
    assert waiting["manifold_quick"].ran and waiting["jacobian_quick"].ran
    assert not waiting["depth_paper"].ran and not waiting["depth_paper_pixels"].ran


def test_what_is_kept_is_small_and_names_no_folder_of_a_machine():
    every = [path for path in (ROOT / "results").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in every) <= 6_000_000
    for path in every:
        if path.suffix in (".json", ".md"):
            named = re.findall(
                r'(?<![\w/.:<])/(?:home|root|tmp|work|mnt|Users)/[^\s"]*', read(path)
            )
            assert not named, path


def table_rows(guide: str, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading of a guide."""
    below = read(ROOT / "docs" / f"{guide}.md").partition(f"\n## {heading}\n")[2]
    table = re.search(r"(?:^\|.*\n)+", below, re.MULTILINE)[0]
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in table.splitlines()[2:]]


def test_the_guide_lists_every_model():
    listed = [
        name for names, _ in table_rows("inverting", "Models") for name in INLINE.findall(names)
    ]
    assert sorted(listed) == sorted(depthjax.MODELS)


def test_the_guide_says_which_script_judges_which_claim():
    with loaded("reproduce") as reproduce:
        steps = [step for plan in ("quick", "cpu") for step in reproduce.PLANS[plan]]
    judged: dict[str, set[str]] = {}
    for step in steps:
        judged.setdefault(step.script, set()).update(step.claims)
    told = {
        INLINE.findall(script)[0]: set(claims.split(", "))
        for script, claims, _ in table_rows("claims", "Who judges what")
    }
    assert told == {script: claims for script, claims in judged.items() if claims}


# ---------------------------------------------------------------------------------------- surveys


def test_the_document_of_imported_networks_is_that_of_its_rows():
    assert read(survey_document.DOCUMENT) == survey_document.document(survey_document.read_rows())
