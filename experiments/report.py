r"""Write the page of a run again, or one page of a whole reproduction.

    python experiments/report.py --run=runs/mine
    python experiments/report.py --run=runs/compare,runs/manifold --output=runs/report.html
    python experiments/report.py --run=runs --title="All claims" --output=runs/report.html

A folder of several runs stands for all of them, and the page then lists every claim of the paper.
The page is one file, with its pictures and numbers in it: it needs no network, and any browser
opens it from disk.
"""

from absl import flags

from depthjax import cli
from depthjax.report import write_report

FLAGS = flags.FLAGS
cli.define_script_flags()
flags.DEFINE_list("run", None, "folders of runs, comparisons or results, or a folder of several")
flags.DEFINE_string("title", None, "title of the page (default: the folder's name)")
flags.DEFINE_string("output", None, "the file (default: report.html in the folder)")


def main() -> None:
    """Folders -> one page."""
    if not FLAGS.run:
        raise ValueError("give the folder to report on, as in --run=runs/mine")
    path = write_report(FLAGS.run, FLAGS.output, title=FLAGS.title)
    print(f"Report: {path} ({path.stat().st_size / 1e6:.1f} MB)")


if __name__ == "__main__":
    cli.run(main)
