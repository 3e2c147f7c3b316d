"""Findings that runs have stored, and what they say today."""

import json
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from depthjax.claims.findings import Finding, finding_from_record
from depthjax.claims.frozen import plan
from depthjax.claims.judging import Judgement, judge
from depthjax.folders.config import read_config


def load_findings(folder: str | os.PathLike[str]) -> list[Finding]:
    """Reads the `findings.json` in a folder of results.

    Findings of a run that was begun under another plan, or under none, are exploratory.

    Raises:
        ValueError: if there is none, or it cannot be read.
    """
    path = Path(folder) / "findings.json"
    if not path.is_file():
        raise ValueError(f"no findings in {str(folder)!r}: it has no {path.name}")
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
        findings = [finding_from_record(record) for record in records]
        begun = plan_of(folder)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{str(path)!r} is damaged: {error}") from error
    today = plan()
    return [
        replace(
            finding,
            plan=begun.get(finding.claim, ""),
            exploratory=begun.get(finding.claim, "") != today.get(finding.claim, ""),
        )
        for finding in findings
    ]


def plan_of(folder: str | os.PathLike[str]) -> dict[str, str]:
    """The digests of the claims that a run was begun under (`depthjax.claims.frozen`).

    Returns:
        By claim; nothing for a run that is older than such plans, or has no config.

    Raises:
        ValueError: if its config is damaged.
    """
    if not (Path(folder) / "config.json").is_file():
        return {}
    return dict(read_config(folder).get("environment", {}).get("plan") or {})


def judge_folders(folders: Iterable[str | os.PathLike[str]]) -> list[Judgement]:
    """Judges every claim again by the findings that runs have stored; nothing is measured.

    Args:
        folders: of results, each with a `findings.json`.

    Raises:
        ValueError: if a folder has no findings, or they cannot be read.
    """
    return judge([finding for folder in folders for finding in load_findings(folder)])
