r"""Why a layer cannot be inverted: what is lost exactly, and how ill-conditioned the rest is.

    python experiments/jacobian.py --flagfile=experiments/flags/jacobian_quick.flags
    python experiments/jacobian.py --model=resnet50 --size=224 --layers=all-stages \
        --images=astronaut --output=runs/jacobian_resnet50

For every network, layer and photograph: the largest singular values of the layer's Jacobian, its
stable rank and participation ratio, how many singular values lie above 10⁻¹ to 10⁻⁶ of the largest,
its conditioning, the number of directions that can pass at all (counted exactly, operation by
operation), and how many bits the embedding holds about the photograph (docs/bits.md).
Claims C9 and C16 are judged. Small inputs are decomposed whole in float64, larger ones by products
alone. A run that was cut off goes on with --resume.
"""

import numpy as np
from absl import flags

from depthjax import cli
from depthjax.studies.jacobian import judged, measured
from depthjax.studies.jacobian.drawn import draw
from depthjax.studies.networks import single_networks

FLAGS = flags.FLAGS
cli.define_network_flags()
cli.define_layers_flag()
cli.define_image_flags(size=32)
cli.define_setting_flags(measured.SpectrumSettings)
cli.define_output_flags(None, "run (default: runs/jacobian-MODEL-DATE)")
cli.define_script_flags()


def main() -> None:
    """Flags -> spectra and accounts of every network and layer -> findings and figures."""
    settings = cli.settings_from_flags(measured.SpectrumSettings)
    asked = cli.asked_from_flags()
    names, photographs = asked.layers, np.asarray(asked.targets, np.float32)
    everywhere = asked.places
    accounts = measured.accounts_of(everywhere, photographs)
    definition = {**cli.flag_values(*_DEFINING), **vars(settings), **asked.definition}
    images = asked.images, photographs
    with cli.begin_output(definition, "jacobian", FLAGS.model, images=images) as folder:
        pieces = {
            (place.network, place.seed, place.name): measured.piece_at(
                folder,
                place,
                asked.images,
                accounts[place.network, place.seed],
                settings,
                ball=place.seed == asked.seeds[0],
            )
            for place in cli.each_place(everywhere)
        }
        rows = judged.finished_rows(list(pieces.values()))
        labels, single = list(asked.networks), single_networks(asked.networks)
        findings = judged.findings(rows, names, labels, single)
        summary = judged.summary_table(rows, names, labels)
        figures = draw(pieces, rows, names, labels, asked.seeds, len(asked.images))
        cli.finish_study(folder, rows, findings, figures, summary=summary, after=[judged.KEY])


_DEFINING = "model", "model_field", "seeds", "normalization", "size", "fit"


if __name__ == "__main__":
    cli.run(main)
