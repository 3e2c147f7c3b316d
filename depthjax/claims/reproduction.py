"""All claims at once: a plan of scripts, each run in a process of its own, and the verdicts.

    reproduce.json    the scale, the plan's digest, and the power announced before the first step
    steps/NAME.json   what a step was asked for, and whether it is done
    NAME/             what the step's script has written
    logs/NAME.log     what it has printed
    claims.json       a verdict for each claim

A step is done once its file in `steps` says so; the file is written after its script has succeeded.
A step that was interrupted before that is continued, or run anew, and ends with the same results.
One process at a time works on a reproduction (`depthjax.folders.lock`).
"""

import hashlib
import json
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from depthjax.claims.findings import Finding
from depthjax.claims.frozen import digest_of, plan
from depthjax.claims.judging import Judgement, judge
from depthjax.claims.paper import CLAIMS
from depthjax.claims.power import announced, undecidable
from depthjax.claims.step import DONE, FAILED, MISSING, SKIPPED, Outcome, Step, run_script
from depthjax.claims.stored import load_findings
from depthjax.errors import unknown
from depthjax.files import cannot_write, json_bytes, write_atomically
from depthjax.folders import marked
from depthjax.folders.lock import FolderLock, acquire

_MARKER = "reproduce.json"

Report: TypeAlias = Callable[[Step, float, Outcome | None], None]
"""Called every half second or so with the step and the seconds it has taken; at its end also with
the outcome."""


@dataclass(frozen=True)
class Reproduction:
    """A plan in a folder.

    Fields:
        plan: the steps, in their order.
        output: the folder.
        experiments: the folder of the scripts, with `flags/` in it.
    """

    plan: Sequence[Step]
    output: Path
    experiments: Path

    def check(self) -> None:
        """Refuses a plan whose scripts or flag files do not exist.

        Raises:
            ValueError: naming what is missing and what there is.
        """
        scripts = sorted(path.name for path in self.experiments.glob("*.py"))
        files = sorted(path.stem for path in (self.experiments / "flags").glob("*.flags"))
        names = [step.name for step in self.plan]
        for step in self.plan:
            if step.script not in scripts:
                raise unknown("script", step.script, scripts, hint=f"for the step {step.name}")
            if step.flags not in files:
                raise unknown("flag file", step.flags, files, hint=f"for the step {step.name}")
            for other in step.after:
                if other not in names[: names.index(step.name)]:
                    raise unknown("earlier step", other, names, hint=f"for the step {step.name}")

    def open(self, scale: str, *, overwrite: bool = False) -> None:
        """Makes the folder, or continues the one that is there.

        From here on, until `run` or this process ends, no other process can work on it.

        Raises:
            FolderBusy: if another process works on it.
            ValueError: if the folder holds something else, or a reproduction of another scale.
        """
        marked.check_ours(self.output, _MARKER, "reproduction")
        self._lock()
        marker = self.output / _MARKER
        if overwrite:
            marked.clear(self.output, _MARKER, "reproduction")
        elif marker.is_file() and (old := self.marker.get("scale")) != scale:
            raise ValueError(
                f"{str(self.output)!r} holds a reproduction of --scale={old}, not {scale};"
                " choose another --output, or --overwrite it"
            )
        if not self.marker.get("plan"):  # what was announced before the first step stays
            announced = {"scale": scale, "plan": self.digest(), "power": self.announced()}
            write_atomically(marker, json_bytes(announced))

    @property
    def marker(self) -> dict[str, Any]:
        """What was written before the first step: `scale`, `plan` and `power`."""
        path = self.output / _MARKER
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}

    def digest(self) -> str:
        """The digest of the plan as it is today: of claims, rules, commands and flag files."""
        claims = {name: one for name, one in plan().items() if name in CLAIMS}
        settings = {step.name: self._settings(step) for step in self.plan}
        return digest_of([claims, settings])

    def announced(self) -> dict[str, dict[str, float]]:
        """The power of each part of a claim, by the spread that an earlier run has shown.

        Returns:
            By claim and part, in steps that say what their claims rest on, the least where several
            judge a claim; of parts that no earlier run has measured (`pilots.json` beside the
            scripts), nothing.
        """
        path = self.experiments / "pilots.json"
        pilots = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        told: dict[str, dict[str, float]] = {}
        for step in self.plan:
            if min(step.sample):
                power = announced([CLAIMS[name] for name in step.claims], pilots, step.sample)
                for claim, parts in power.items():
                    known = told.setdefault(claim, parts)
                    told[claim] = {name: min(one, known[name]) for name, one in parts.items()}
        return told

    def _lock(self) -> FolderLock:
        try:
            self.output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(self.output, error) from error
        return acquire(self.output)

    def command(self, step: Step) -> list[str]:
        """The command that starts a step anew."""
        more = [flag.replace("{output}", str(self.output)) for flag in step.more]
        return [
            sys.executable,
            str(self.experiments / step.script),
            f"--flagfile={self.experiments / 'flags' / step.flags}.flags",
            *more,
            f"--output={self.output / step.name}",
        ]

    def shown_command(self, step: Step) -> str:
        """The same command as one would type it in the checkout."""
        return shlex.join(self._typed(step))

    def _typed(self, step: Step) -> list[str]:
        _, script, flagfile, *rest = self.command(step)
        return [
            "python",
            f"experiments/{Path(script).name}",
            f"--flagfile=experiments/flags/{Path(flagfile.partition('=')[2]).name}",
            *rest,
        ]

    def outcome(self, step: Step) -> Outcome:
        """What became of a step, from its file."""
        record = self._record(step)
        if record is None or record["state"] not in (DONE, FAILED):
            return Outcome(step, MISSING)
        if record["state"] == DONE and not (self.output / step.name).is_dir():
            return Outcome(step, MISSING)  # somebody has removed its results
        return Outcome(step, record["state"], record["seconds"], record["message"])

    def run(self, on_progress: Report | None = None) -> list[Outcome]:
        """Runs the steps that are not done. A failure stops only the steps that need its results.

        Returns:
            The outcome of each step, also of those that were done before.

        Raises:
            FolderBusy: if another process works on the reproduction.
            CannotWrite: if what became of a step cannot be written.
        """
        report = on_progress or (lambda *_: None)
        outcomes: dict[str, Outcome] = {}
        lock = self._lock()
        try:
            for step in self.plan:
                outcome = self.outcome(step)
                failed = [name for name in step.after if outcomes[name].state != DONE]
                if outcome.state != DONE and failed:
                    outcome = Outcome(step, SKIPPED, message=f"{failed[0]} has not been done")
                elif outcome.state != DONE:
                    outcome = self._run_step(step, report)
                outcomes[step.name] = outcome
                report(step, outcome.seconds, outcome)
                self.write_claims()
        finally:
            lock.release()
        return list(outcomes.values())

    def judgements(self) -> list[Judgement]:
        """A verdict for each claim, from the findings of the steps that are done."""
        findings: list[Finding] = []
        for step in self.plan:
            folder = self.output / step.name
            if self.outcome(step).state == DONE and (folder / "findings.json").is_file():
                findings += [f for f in load_findings(folder) if f.claim in step.claims]
        return judge(findings, weak=undecidable(self.marker.get("power", {})))

    def write_claims(self) -> None:
        """Writes the verdicts, with the command and the figure that each rests on."""
        by_claim = {claim: step for step in reversed(self.plan) for claim in step.claims}
        records = []
        for judgement in self.judgements():
            record = judgement.record()
            step = by_claim.get(judgement.claim.id)
            if step is not None:
                figure = self.output / step.name / step.figure
                record["step"] = step.name
                record["command"] = self.shown_command(step)
                record["figure"] = f"{step.name}/{step.figure}" if figure.is_file() else None
            records.append(record)
        environments = [env for step in self.plan if (env := self._environment(step))]
        content = {
            **{name: self.marker.get(name) for name in ("scale", "plan", "power")},
            "same_plan": self.marker.get("plan") == self.digest(),
            "claims": records,
            "steps": [self._step_record(step) for step in self.plan],
            "environment": environments[0] if environments else None,
        }
        write_atomically(self.output / "claims.json", json_bytes(content))

    def _step_record(self, step: Step) -> dict[str, Any]:
        outcome = self.outcome(step)
        return {
            "step": step.name,
            "state": outcome.state,
            "seconds": None if outcome.seconds != outcome.seconds else outcome.seconds,
            "message": outcome.message,
            "claims": list(step.claims),
            "command": self.shown_command(step),
        }

    def _environment(self, step: Step) -> dict[str, Any]:
        """Where a step has run, if it is done and says so."""
        config = self.output / step.name / "config.json"
        if self.outcome(step).state != DONE or not config.is_file():
            return {}
        environment = json.loads(config.read_text(encoding="utf-8")).get("environment") or {}
        return {name: value for name, value in environment.items() if name != "command"}

    def _run_step(self, step: Step, report: Report) -> Outcome:
        folder, command = self.output / step.name, self.command(step)
        begun = self._record(step) is not None and (folder / "config.json").is_file()
        if begun:
            command.append("--resume")
        else:
            shutil.rmtree(folder, ignore_errors=True)
        self._note(step, "begun")
        log = self.output / "logs" / f"{step.name}.log"
        began = time.monotonic()
        message = run_script(command, log, lambda seconds: report(step, seconds, None))
        seconds, state = time.monotonic() - began, FAILED if message else DONE
        self._note(step, state, seconds, message)
        return Outcome(step, state, seconds, message)

    def _key(self, step: Step) -> str:
        """The hash of what defines a step, wherever the folder lies and however it is spelled.

        With another script, flag file or flag the step is run anew.
        """
        return _hash([step.script, step.flags, *self._settings(step)])

    def _older_key(self, step: Step) -> str:
        """The hash that was written before, which knew the path of the folder."""
        return _hash([" ".join(self._typed(step)), *self._settings(step)])

    def _settings(self, step: Step) -> list[str]:
        """A step's flags, from its file and beside it; remarks are none."""
        text = (self.experiments / "flags" / f"{step.flags}.flags").read_text(encoding="utf-8")
        return [line for line in text.splitlines() if not line.startswith("#")] + list(step.more)

    def _record(self, step: Step) -> dict[str, Any] | None:
        """What the step's file says; None without one, or if the step was defined otherwise."""
        try:
            path = self.output / "steps" / f"{step.name}.json"
            record = json.loads(path.read_text(encoding="utf-8"))
            return record if record["key"] in (self._key(step), self._older_key(step)) else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _note(self, step: Step, state: str, seconds: float = 0.0, message: str = "") -> None:
        record = {"key": self._key(step), "state": state, "seconds": seconds, "message": message}
        write_atomically(self.output / "steps" / f"{step.name}.json", json_bytes(record))


def _hash(lines: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
