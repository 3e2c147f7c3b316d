"""All claims in one go: a plan of scripts, each run in a process of its own, and the verdicts.

    reproduce.json    the scale
    steps/NAME.json   what a step was asked for, and whether it is done
    NAME/             what the step's script has written
    logs/NAME.log     what it has printed
    claims.json       a verdict for each claim

A step is done once its file in `steps` says so, which is written after its script has ended well.
Whatever was cut off before that is gone on with, or made anew, and ends with the same results.
"""

import ctypes
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from depthjax.claims.findings import Finding, load_findings
from depthjax.claims.judging import Judgement, judge
from depthjax.errors import unknown
from depthjax.files import write_atomically

DONE, FAILED, SKIPPED, MISSING = "done", "failed", "skipped", "not run"


@dataclass(frozen=True)
class Step:
    """One script with its settings.

    Fields:
        name: of its folder and its log.
        script: of `experiments/`.
        flags: name of its flag file, without ending.
        minutes: what it may take, on the hardware of its scale.
        claims: those that its findings are about.
        figure: the one that shows them, within the step's folder.
        resumes: whether the script goes on with a folder by --resume; others start anew.
        after: steps that it takes files of.
        more: flags beside those of the file; `{output}` is the folder of the reproduction.
    """

    name: str
    script: str
    flags: str
    minutes: float | int
    claims: tuple[str, ...] = ()
    figure: str = ""
    resumes: bool = False
    after: tuple[str, ...] = ()
    more: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What became of a step.

    Fields:
        step: the step.
        state: `done`, `failed`, `skipped` (a step that it needs has failed) or `not run`.
        seconds: what the script took, the last time it was started; NaN if it was not.
        message: the last line that a failed script has printed, or why it was skipped.
    """

    step: Step
    state: str
    seconds: float = float("nan")
    message: str = ""


@dataclass(frozen=True)
class Reproduction:
    """A plan in a folder.

    Fields:
        plan: the steps, in their order.
        output: the folder.
        experiments: where scripts are, with `flags/` in it.
    """

    plan: Sequence[Step]
    output: Path
    experiments: Path

    def check(self) -> None:
        """Ends a reproduction whose scripts or flag files do not exist, before it begins.

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
        """Makes the folder, or goes on with the one that is there.

        Raises:
            ValueError: if the folder holds something else.
        """
        marker = self.output / "reproduce.json"
        if self.output.exists() and (not self.output.is_dir() or any(self.output.iterdir())):
            if not marker.is_file():
                raise ValueError(
                    f"{str(self.output)!r} exists and is no reproduction; choose another --output"
                )
            if overwrite:
                shutil.rmtree(self.output)
            elif (old := json.loads(marker.read_text()).get("scale")) != scale:
                raise ValueError(
                    f"{str(self.output)!r} holds a reproduction of --scale={old}, not {scale};"
                    " choose another --output, or --overwrite it"
                )
        for name in ("steps", "logs"):
            (self.output / name).mkdir(parents=True, exist_ok=True)
        write_atomically(marker, _json({"scale": scale}))

    def command(self, step: Step) -> list[str]:
        """The script with its flags, as it is started anew."""
        more = [flag.replace("{output}", str(self.output)) for flag in step.more]
        return [
            sys.executable,
            str(self.experiments / step.script),
            f"--flagfile={self.experiments / 'flags' / step.flags}.flags",
            *more,
            f"--output={self.output / step.name}",
        ]

    def shown_command(self, step: Step) -> str:
        """The same as one would type it in the checkout."""
        _, script, flagfile, *rest = self.command(step)
        return " ".join(
            [
                f"python experiments/{Path(script).name}",
                f"--flagfile=experiments/flags/{Path(flagfile.partition('=')[2]).name}",
                *rest,
            ]
        )

    def outcome(self, step: Step) -> Outcome:
        """How a step stands, from its file."""
        record = self._record(step)
        if record is None or record["state"] not in (DONE, FAILED):
            return Outcome(step, MISSING)
        if record["state"] == DONE and not (self.output / step.name).is_dir():
            return Outcome(step, MISSING)  # somebody has removed its results
        return Outcome(step, record["state"], record["seconds"], record["message"])

    def run(
        self, on_progress: Callable[[Step, float, Outcome | None], None] | None = None
    ) -> list[Outcome]:
        """Runs what is not done. A failure stops only the steps that need what failed.

        Args:
            on_progress: called every second or so with the step, the seconds it has taken, and at
                its end the outcome.

        Returns:
            The outcome of each step, also of those that were done before.
        """
        report = on_progress or (lambda *_: None)
        outcomes: dict[str, Outcome] = {}
        with _only_one(self.output / "lock") as lock:
            for step in self.plan:
                found = self.outcome(step)
                failed = [name for name in step.after if outcomes[name].state != DONE]
                if found.state != DONE and failed:
                    found = Outcome(step, SKIPPED, message=f"{failed[0]} has not been done")
                elif found.state != DONE:
                    found = self._start(step, lock, report)
                outcomes[step.name] = found
                report(step, found.seconds, found)
                self.write_claims()
        return list(outcomes.values())

    def judgements(self) -> list[Judgement]:
        """A verdict for each claim, of the steps that are done."""
        findings: list[Finding] = []
        for step in self.plan:
            folder = self.output / step.name
            if self.outcome(step).state == DONE and (folder / "findings.json").is_file():
                findings += [one for one in load_findings(folder) if one.claim in step.claims]
        return judge(findings)

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
        steps = [self._step_record(step) for step in self.plan]
        environment = next((one.pop("environment") for one in steps if "environment" in one), None)
        for one in steps:
            one.pop("environment", None)
        scale = json.loads((self.output / "reproduce.json").read_text())["scale"]
        content = {"scale": scale, "claims": records, "steps": steps, "environment": environment}
        write_atomically(self.output / "claims.json", _json(content))

    def _step_record(self, step: Step) -> dict[str, Any]:
        outcome = self.outcome(step)
        record: dict[str, Any] = {
            "step": step.name,
            "state": outcome.state,
            "seconds": None if outcome.seconds != outcome.seconds else outcome.seconds,
            "message": outcome.message,
            "claims": list(step.claims),
            "command": self.shown_command(step),
        }
        config = self.output / step.name / "config.json"
        if outcome.state == DONE and config.is_file():
            environment = json.loads(config.read_text(encoding="utf-8")).get("environment")
            if environment:
                record["environment"] = {k: v for k, v in environment.items() if k != "command"}
        return record

    def _start(
        self, step: Step, lock: int | None, report: Callable[[Step, float, Outcome | None], None]
    ) -> Outcome:
        folder, command = self.output / step.name, self.command(step)
        old = self._record(step)
        if old is not None and step.resumes and (folder / "config.json").is_file():
            command.append("--resume")
        else:
            shutil.rmtree(folder, ignore_errors=True)
        self._note(step, "begun")
        began = time.monotonic()
        with open(self.output / "logs" / f"{step.name}.log", "ab") as log:
            log.write(f"\n$ {' '.join(command)}\n".encode())
            log.flush()
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,
                pass_fds=() if lock is None else (lock,),
            )
            try:
                while True:
                    try:
                        code = process.wait(timeout=0.5)
                        break
                    except subprocess.TimeoutExpired:
                        report(step, time.monotonic() - began, None)
            except BaseException:  # Control-C has reached the script, too
                process.terminate()
                process.wait()
                raise
        seconds = time.monotonic() - began
        message = "" if code == 0 else self._last_line(step) or f"exit status {code}"
        state = DONE if code == 0 else FAILED
        self._note(step, state, seconds, message)
        return Outcome(step, state, seconds, message)

    def _last_line(self, step: Step) -> str:
        text = (self.output / "logs" / f"{step.name}.log").read_text("utf-8", errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return "" if not lines or lines[-1].startswith("$ ") else lines[-1]

    def _key(self, step: Step) -> str:
        """What defines a step: with another command or flag file it is made anew."""
        text = (self.experiments / "flags" / f"{step.flags}.flags").read_text(encoding="utf-8")
        settings = [line for line in text.splitlines() if not line.startswith("#")]
        defining = "\n".join([self.shown_command(step), *settings])
        return hashlib.sha256(defining.encode()).hexdigest()

    def _record(self, step: Step) -> dict[str, Any] | None:
        """What the step's file says; None if it is not there or of a step defined otherwise."""
        try:
            record = json.loads((self.output / "steps" / f"{step.name}.json").read_text())
            return record if record["key"] == self._key(step) else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _note(self, step: Step, state: str, seconds: float = 0.0, message: str = "") -> None:
        record = {"key": self._key(step), "state": state, "seconds": seconds, "message": message}
        write_atomically(self.output / "steps" / f"{step.name}.json", _json(record))


@contextmanager
def _only_one(path: Path) -> Iterator[int | None]:
    """Waits until no other process works on the folder; its scripts hold the lock with it."""
    try:
        import fcntl
    except ImportError:  # not POSIX
        yield None
        return
    with open(path, "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def _end_with_parent() -> None:
    """Before a script begins: it is to be killed when this process is."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() == 1:
        os._exit(1)


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
