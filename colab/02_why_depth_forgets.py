# %% [markdown]
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/depthjax/blob/main/colab/02_why_depth_forgets.ipynb)
#
# # Why depth forgets
#
# [The first notebook](01_invert_a_layer.ipynb) found inputs that a deep layer cannot tell from a
# photograph. There are two reasons why a layer may not give its input back, and they are not the same:
#
# 1. **It is gone.** The layer's Jacobian $J = \partial O_l / \partial a$ has a null space: along it, to
#    first order, nothing changes in the embedding. No method recovers it.
# 2. **It is faint.** $J$ has full rank but is ill-conditioned, $\kappa = \sigma_1 / \sigma_n \gg 1$: what
#    is stretched little is recovered late by gradient descent, and drowns in rounding.
#
# Here both are counted and measured on networks small enough to decompose $J$ whole. The paper
# (B. L. Badger, [arXiv 2211.06496](https://arxiv.org/abs/2211.06496)) argues so in words.
#
# Where depthjax is installed already, leave the next cell out.

# %% tags=["install"]
# %pip install --quiet "depthjax[hub] @ git+https://github.com/OWNER/depthjax"

# %% tags=["parameters"]
images = ["astronaut", "chelsea"]  # embedded photographs, or paths of your own
size = 16  # pixels each way where J is decomposed whole
width = 32  # channels of the first convolution
layers = ["conv1", "relu", "maxpool", "layer2", "layer4"]
probed = "layer2"  # of these the one to be decomposed by products, too
witness_size = 32
witness_layers = ["layer1", "layer4"]
strides = 60  # of the walk to a witness
mlp_size = 8  # pixels each way, a multiple of 4: the i-RevNet at the end halves it twice
descent_steps = 300
inits = 10
seed = 0

# %% [markdown]
# ## Devices
#
# One mesh of whatever JAX sees: batches are shared out where the devices divide them.

# %%
# %matplotlib inline
import jax
import jax.numpy as jnp
import numpy as np
from IPython.display import Markdown, display

import depthjax
from depthjax import figures
from depthjax.analysis import accounting
from depthjax.analysis.ball_section import ball_section
from depthjax.analysis.prediction import descend_and_predict
from depthjax.analysis.preimages import preimages
from depthjax.analysis.singular_values import (
    DENSE_FLOOR,
    dense_spectrum,
    probed_spectrum,
    spectral_curve,
)
from depthjax.analysis.witnesses import null_space_witness
from depthjax.devices.sharding import data_mesh
from depthjax.devices.unused import unused_accelerator
from depthjax.figures.prediction import Curve
from depthjax.images import find_images, load_images
from depthjax.models import invert_activations
from depthjax.tables import markdown_table, number

mesh = data_mesh()
print(f"{mesh.size} × {jax.devices()[0].device_kind}, JAX {jax.__version__}")
if line := unused_accelerator():
    print(line)

# %% [markdown]
# ## What each operation loses, counted
#
# At one image a network is a graph of linear maps: a ReLU is a set of gates that are open or closed,
# max pooling passes on the winners. Changes of the input travel along open gates and winners alone.
# So whatever set of operations separates the input from a layer, the rank of the layer's Jacobian is
# at most the number of units that are active there:
#
# $$\operatorname{rank} J \;\le\; \min_{\text{cuts}} \sum_{\text{cut}} \text{active units}.$$
#
# The smallest cut is the largest flow (Ford and Fulkerson 1956), so the bound is computed exactly.
# The network is a ResNet of one block a stage, untrained, with torchvision's stem.

# %%
names, photographs = load_images(find_images(images), size)
photograph = photographs[0]
model = depthjax.build_model("resnet18", stage_sizes=(1, 1, 1, 1), width=width)
variables = depthjax.init_variables(model, jax.random.key(seed), image_size=size)
deepest = depthjax.Layer(model, layers[-1])
print(f"{names[0]}, {size}×{size}: n = {photograph.size} inputs\n")
for loss in accounting.account(deepest, variables, photograph):
    print(accounting.sentence(loss))

# %%
bounds = {
    name: accounting.local_rank_bound(depthjax.Layer(model, name), variables, photograph)
    for name in layers
}
for bound in bounds.values():
    print(accounting.sentence(bound))

# %% [markdown]
# Read it from the top: where an operation leaves fewer active units than the image has pixels (times
# three colours), directions are gone for good, and what is gone does not come back with depth. With
# the default parameters the first convolution keeps everything and the first to take directions away
# is pooling, not the ReLU, as at the paper's sizes. Make `width` 16 and it is the ReLU: what a gate
# closes matters once there is nothing to spare.
#
# ## How unevenly the rest is stretched
#
# The bound counts what is joined, not how strongly. Of so small a network all singular values of $J$
# can be computed, in float64.

# %%
spectra = {
    name: dense_spectrum(depthjax.Layer(model, name), variables, photograph[None])
    for name in layers
}
curves = {name: spectral_curve(spectrum) for name, spectrum in spectra.items()}
display(
    figures.singular_value_curves(
        layers,
        {"untrained": [[curve] for curve in curves.values()]},
        photograph.size,
        note=f"{names[0]}, {size}×{size}",
    )
)
rows = []
for name, spectrum in spectra.items():
    values = spectrum.values[0]
    rank = int((values > DENSE_FLOOR * values[0]).sum())
    rows.append(
        [
            name,
            str(spectrum.outputs),
            str(bounds[name].rank),
            str(rank),
            number(float(spectrum.stable_rank.value[0])),
            number(float(values[0] / values[rank // 2])),
        ]
    )
header = ["layer", "outputs", "rank at most", "rank of J", "‖J‖²_F / σ₁²", "σ₁ / σ at half rank"]
display(Markdown(markdown_table(header, rows)))

# %% [markdown]
# The counted bound is never below the rank found, and here it is met. And far fewer directions carry
# weight than pass at all: the stable rank $\lVert J \rVert_F^2 / \sigma_1^2$ is the number of directions
# as strong as the strongest that would make up the whole.
#
# At 224 × 224 no machine holds $J$. Products $J v$ and $J^\top u$ are enough: Lanczos for the largest
# singular values, stochastic quadrature for how many lie above each level, with an interval for what
# the random probes leave open: where it is wide, the products claim nothing. On the small network both
# can be laid over each other.

# %%
layer = depthjax.Layer(model, probed)
by_products = probed_spectrum(jax.random.key(1), layer, variables, photograph[None])
both = {
    "all singular values": [[curves[probed]]],
    "products alone": [[spectral_curve(by_products)]],
}
display(figures.singular_value_curves([probed], both, photograph.size))

# %% [markdown]
# ## The spiky ball
#
# Take a circle of inputs one grey level around the photograph, in the plane of the most stretched
# direction $v_1$ and a random one. A layer that hears both alike maps it to a circle. The deeper the
# layer, the more it is a needle: a random direction is nearly always one that it hardly hears, and a
# ball of inputs becomes one with a few long spikes. The line is what the Jacobian says; dots are
# measured through the network itself, and leave the line where the network bends.

# %%
circles = [
    ball_section(depthjax.Layer(model, name), variables, photograph[None]) for name in layers
]
display(figures.ball_sections(layers, {"untrained": circles}))

# %% [markdown]
# ## A witness
#
# A null space at one image is an argument. Two picture files that differ visibly and have the same
# embedding are evidence. The walk below leaves the photograph along the level set of its embedding
# (Gauss–Newton, the Jacobian taken anew at every stride) inside $[0, 1]$, and counts a stride only if
# the picture *rounded to 8 bits* still has $\rho \le 0.1$: to the layer it is ten times nearer than a
# copy with noise that one hardly sees. The network is trained on photographs.

# %%
small = depthjax.build_model("resnet18_small")
trained = depthjax.load_weights(small, f"zoo:resnet18_small/photos/{seed}")
_, larger = load_images(find_images(images[:1]), witness_size)
pairs = [
    null_space_witness(
        jax.random.key(1), depthjax.Layer(small, name), trained, larger, steps=strides
    )
    for name in witness_layers
]
captions = [
    f"D {pair.input_ratio[0]:.2f}  ρ {pair.embedding_ratio[0]:.3f}\n{pair.psnr[0]:.1f} dB"
    for pair in pairs
]
empty = [""] * len(pairs)
seen, made = (np.stack([getattr(pair, f)[0] for pair in pairs]) for f in ("targets", "rounded"))
display(
    figures.gallery(
        witness_layers,
        seen,
        None,
        ["witness", "difference / 2"],
        np.stack([made, 0.5 + (made - seen) / 2]),
        {},
        seen=[empty, captions, empty],
        note="D: distance of the pictures, ρ: of their embeddings; 1 is a noisy copy's of 25 dB.",
        title="two pictures that the layer takes for one",
    )
)

# %% [markdown]
# The network was trained on pictures without colour, and colour is the first thing that it does not
# see.
#
# ## Controls: theory against measurement
#
# Where a layer is $O(x) = O(a) + J (x - a)$, gradient descent moves along each right singular vector
# of $J$ by itself. A step of rate $\lambda$ on $\lVert O(x) - O(a) \rVert^2$ multiplies what is missing
# along $v_i$ by $1 - 2 \lambda \sigma_i^2$, and leaves the null space as it was:
#
# $$\lVert a_n - a \rVert^2 \;=\; \underbrace{\lVert P_N (a_0 - a) \rVert^2}_{\text{gone}}
# \;+\; \underbrace{\textstyle\sum_i (1 - 2 \lambda \sigma_i^2)^{2n} \langle v_i, a_0 - a \rangle^2}_{\text{faint: a matter of time}}.$$
#
# Three linear perceptrons of three layers, of which it is known what they keep, under one protocol:
# *orthogonal* (invertible, $\kappa = 1$), *as PyTorch initialises it* (invertible, ill-conditioned), and
# *narrow* (orthogonal, but half as wide in the middle).

# %%
_, tiny = load_images(find_images(images), mlp_size)
n = tiny[0].size
descent = depthjax.InversionConfig(
    steps=descent_steps,
    objective="squared_l2",
    optimizer="sgd",
    learning_rate=0.5,
    schedule="constant",
    pixels="none",
)
start = depthjax.initial_images(jax.random.key(1), tiny.shape, descent)
orthogonal = jax.nn.initializers.orthogonal()
measured, rows = {}, []
for name, widths in {
    "orthogonal": (n, n, n),
    "as initialised": (n, n, n),
    "narrow": (n, n // 2, n),
}.items():
    mlp = depthjax.build_model("mlp", widths=widths, activation="linear")
    weights = depthjax.init_variables(mlp, jax.random.key(seed), image_size=mlp_size)
    if name != "as initialised":
        for leaves in weights["params"].values():
            leaves["kernel"] = orthogonal(jax.random.key(seed), leaves["kernel"].shape)
    last = depthjax.Layer(mlp, f"fc{len(widths)}")
    told = descend_and_predict(last, weights, tiny, start, descent, affine=True)
    trajectory = told.inversion.trajectory
    measured[name] = Curve(
        trajectory.step,
        trajectory.input_distance,
        np.stack([one.input_distance for one in told.predictions], 1),
        [one.lost for one in told.predictions],
    )
    directions, first = told.directions[0], told.predictions[0]
    rows.append(
        [
            name,
            f"{len(directions.values)} of {n}",
            *map(number, (directions.condition_number, first.lost, first.input_distance[-1])),
            number(float(trajectory.input_distance[-1, 0])),
        ]
    )
display(figures.predicted_curves(measured))
header = [f"{names[0]}", "rank", "κ", "gone", "predicted mᵢ", "measured mᵢ"]
display(Markdown(markdown_table(header, rows)))

# %% [markdown]
# The last two look alike to someone who only sees that the image has not come back. From $J$, the
# target and the start the theory says of each beforehand what is gone (dotted) and what is late. Where
# it predicts less than about 1e-6, that is what float32 rounding leaves to measure.
#
# ### Invertible, and still far away
#
# How bad can an invertible layer be? Solve $O(x) = O(a) + \sigma \varepsilon$ exactly, in float64. Its
# solutions lie about
#
# $$\lVert x - a \rVert \approx \sigma \lVert J^{-1} \rVert_F$$
#
# from $a$, though their embeddings are next to that of $a$. (The paper reports a median above 40,000
# at 32 × 32.)

# %%
square = depthjax.build_model("mlp", widths=(tiny[0].size,) * 4, activation="linear")
found = []
for key in jax.random.split(jax.random.key(0), inits):
    of_weights, of_noise = jax.random.split(key)
    weights = depthjax.init_variables(square, of_weights, image_size=mlp_size)
    found.append(preimages(of_noise, square, weights, "fc4", tiny[0]).summary())
told = {name: float(np.median([one[name] for one in found])) for name in found[0]}
rows = [
    ["median ‖x − a‖", number(told["median_distance"])],
    ["σ‖J⁻¹‖_F", number(told["expected_distance"])],
    ["their ratio", number(told["distance_ratio"])],
    ["pixels outside [0, 1]", f"{told['outside']:.1%}"],
    ["κ", number(told["condition_number"])],
]
display(Markdown(markdown_table([f"medians over {inits} initialisations", ""], rows)))

# %% [markdown]
# ### A convolutional network that loses nothing
#
# An i-RevNet is built of additive couplings: each block can be undone, up to the classifier. Depth
# alone does not forget.

# %%
reversible = depthjax.build_model("irevnet", blocks=(1, 1))
weights = depthjax.init_variables(reversible, jax.random.key(seed), image_size=mlp_size)
embedding = depthjax.Layer(reversible, "layer2")(weights, tiny)
back = invert_activations(reversible, weights, "layer2", embedding)
print(f"largest error of a pixel after layer2 and back: {jnp.abs(back - tiny).max():.1e}")

# %% [markdown]
# [The third notebook](03_train_compare_reproduce.ipynb) asks what training changes.
