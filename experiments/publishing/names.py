"""What the page calls networks, places and runs: a reader need not know the names of folders."""

from collections.abc import Mapping, Sequence

from depthjax.claims.findings import Finding
from depthjax.claims.runs import StoredRun

MODELS = {
    "resnet18": "ResNet-18",
    "resnet50": "ResNet-50",
    "resnet152": "ResNet-152",
    "resnet18_small": "the small ResNet-18",
    "resnet50_thin": "ResNet-50 of half width",
    "tf_efficientnet_lite0": "EfficientNet-Lite0",
    "tf_efficientnet_lite1": "EfficientNet-Lite1",
    "irevnet": "i-RevNet",
}
"""Architectures in print; of others the name of the flag is."""

PRESETS = {
    "fast": "without soft gates (`--preset=fast`)",
    "accurate": "with soft gates (`--preset=accurate`)",
}
"""What tells two runs apart that differ by nothing else."""


def model_name(run: StoredRun) -> str:
    """The architecture of a run in print; the run's name if it has no single one."""
    models = run.config.get("model") or run.config.get("network") or []
    several = [models] if isinstance(models, str) else list(models)
    return MODELS.get(several[0], several[0]) if len(several) == 1 else run.name


def told_apart(runs: Sequence[StoredRun]) -> dict[str, str]:
    """By their names, in what runs that show the same differ; empty words of a single one."""
    several = len({model_name(run) for run in runs}) > 1
    told = {}
    for run in runs:
        alike = [one for one in runs if model_name(one) == model_name(run)]
        differ = len({one.config.get("preset") for one in alike}) > 1
        preset = PRESETS.get(str(run.config.get("preset")), "") if differ else ""
        told[run.name] = ", ".join(filter(None, [model_name(run) if several else "", preset]))
    return told


def network_names(networks: Sequence[tuple[str, str]], runs: Mapping[str, StoredRun]) -> list[str]:
    """What networks are called beside each other: by their labels, or else by what they are.

    Args:
        networks: runs and labels, as `depthjax.claims.places.networks_apart` has them.
        runs: by name.
    """
    labels = [label for _, label in networks]
    if len(set(labels)) < len(labels):
        return [model_name(runs[run]) for run, _ in networks]
    return [MODELS.get(label, label) for label in labels]


def places_told(findings: Sequence[Finding], runs: Mapping[str, StoredRun]) -> str:
    """The places of some numbers: what they share once, and then what each has of its own.

    Args:
        findings: of one part of a claim.
        runs: by name.
    """
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.run, finding.network), []).append(finding)
    several = len({model_name(runs[run]) for run, _ in groups}) > 1
    told = []
    for (run, network), own in groups.items():
        model = model_name(runs[run]) if several else ""
        label = MODELS.get(network, network)
        shared = [model, "" if label == model else label]
        layers, notes = ([*dict.fromkeys(getattr(one, name) for one in own)] for name in _PLACE)
        if len(layers) == 1:
            shared.append(layers.pop())
        if len(notes) == 1:
            shared.append(notes.pop())
        if layers and notes:
            each = [", ".join(filter(None, (one.layer, one.note))) for one in own]
        elif layers and layers == runs[run].config.get("layers"):
            each = [f"all {len(layers)} layers"]
        else:
            each = layers or notes
        words = ", ".join(filter(None, shared))
        told.append(": ".join(filter(None, [words, ", ".join(dict.fromkeys(each))])))
    return "; ".join(dict.fromkeys(told))


_PLACE = ("layer", "note")
