"""How many seeds and photographs decide each claim, from runs that are there.

    python experiments/power.py --findings=runs/depth_quick,runs/widths_quick --pilots=pilots.json
    python experiments/power.py --sample=10x10

The spread of each part of a claim over seeds and photographs is taken from stored findings (the
pilot), and runs of a planned size are simulated: how often they would support the part if nothing
were there (the error), and if the smallest effect of interest were (the power). With --findings the
pilots are written to --pilots; `reproduce.py` announces power by experiments/pilots.json.
"""

import json
from pathlib import Path

from absl import flags

from depthjax import cli
from depthjax.claims.beside import BESIDE
from depthjax.claims.judging import judge
from depthjax.claims.paper import CLAIMS
from depthjax.claims.power import pilots_of
from depthjax.claims.stored import load_findings
from depthjax.claims.tables import error_table
from depthjax.files import json_bytes, write_atomically

FLAGS = flags.FLAGS
cli.define_script_flags()
flags.DEFINE_list("findings", [], "folders of finished runs; each with a findings.json")
flags.DEFINE_string(
    "pilots", None, "file of the spreads (default: pilots.json beside this script, to read only)"
)
flags.DEFINE_list("sample", ["3x3", "3x5", "5x5", "10x10"], "planned seeds x photographs")


def main() -> None:
    """Findings -> pilots -> a table of errors and power."""
    path = Path(FLAGS.pilots or Path(__file__).with_name("pilots.json"))
    if FLAGS.findings:
        if not FLAGS.pilots:
            raise ValueError("--findings needs --pilots=FILE, where their spreads are written")
        found = [finding for folder in FLAGS.findings for finding in load_findings(folder)]
        judged = judge(found, [*CLAIMS.values(), *BESIDE.values()])
        pilots = {claim: parts for claim, parts in pilots_of(judged).items() if parts}
        write_atomically(path, json_bytes(pilots))
    elif path.is_file():
        pilots = json.loads(path.read_text(encoding="utf-8"))
    else:
        raise ValueError(f"no pilots in {str(path)!r}; make them with --findings=FOLDER,…")
    print(error_table(pilots, [sizes(text) for text in FLAGS.sample]))


def sizes(text: str) -> tuple[int, int]:
    """`3x5` as three seeds and five photographs.

    Raises:
        ValueError: for any other text.
    """
    seeds, _, images = text.partition("x")
    if not (seeds.isdigit() and images.isdigit() and min(int(seeds), int(images)) >= 1):
        raise ValueError(f"--sample={text!r} is no number of seeds x photographs; write 3x5")
    return int(seeds), int(images)


if __name__ == "__main__":
    cli.run(main)
