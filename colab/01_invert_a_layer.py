# %% [markdown]
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/depthjax/blob/main/colab/01_invert_a_layer.ipynb)
#
# # What does this layer still know about its input?
#
# Take a photograph $a$, run it to a layer $l$ of a vision model and keep the embedding $O_l(a)$ alone.
# How much of $a$ can be recovered from it? Search for an input with the same embedding, by gradient
# descent on the pixels:
#
# $$a_{n+1} = a_n - \lambda_n \nabla_{a_n} \frac{\lVert O_l(a_n) - O_l(a) \rVert_2^2}{\lVert O_l(a) \rVert_2^2},
# \qquad a_0 \sim \mathcal{N}(0.7,\ 0.05^2).$$
#
# If the input found, $a_g$, has nearly the embedding of $a$ and does not look like $a$, then the layer
# does not represent its input uniquely. This is the question, and the measurement, of *Depth and
# Representation in Vision Models* (B. L. Badger,
# [arXiv 2211.06496](https://arxiv.org/abs/2211.06496)). The notebook asks it of an untrained and of a
# trained network, of your own photograph if you like.
#
# It runs from top to bottom on a TPU, a GPU or a CPU. In Colab, *Runtime → Change runtime type*
# chooses. Where depthjax is installed already, leave the next cell out.

# %% tags=["install"]
# %pip install --quiet "depthjax[hub] @ git+https://github.com/OWNER/depthjax"

# %% tags=["parameters"]
images = ["astronaut", "chelsea", "coffee", "rocket"]  # embedded photographs, or paths of your own
upload = False  # True: choose files of your own, in Colab
size = 64  # pixels each way
layers = "all-stages"  # or "conv1,layer2.1"
steps = 300
seed = 0  # of the weights: 0, 1 or 2
watched = ["conv1", "layer2", "layer4"]  # whose descents are shown step by step
frames = 16  # iterates kept of each descent, from the start to the end

# %% [markdown]
# ## Devices
#
# Every device that JAX sees is in one mesh. A batch is shared out between them where they divide it;
# nothing below depends on what they are. (With eight devices, eight photographs cost what one does.)

# %%
# %matplotlib inline
import sys

import jax
import jax.numpy as jnp
import numpy as np
from IPython.display import HTML, Markdown, display

import depthjax
from depthjax import figures
from depthjax.data.augmentation import Augmentation, augment
from depthjax.devices.sharding import data_mesh
from depthjax.devices.unused import unused_accelerator
from depthjax.images import find_images, load_images
from depthjax.inversion.metrics import MATCHED_RATIOS
from depthjax.statistics import LEAST, interval_of
from depthjax.tables import markdown_table, median_and_range, share

mesh = data_mesh()
print(f"{mesh.size} × {jax.devices()[0].device_kind}, JAX {jax.__version__}")
if line := unused_accelerator():
    print(line)

# %% [markdown]
# ## Photographs
#
# The trained network below was trained on photographs without their colours, so colour is something
# that it was never asked to keep. To compare like with like the photographs are made grey here.

# %%
if upload and "google.colab" in sys.modules:
    from google.colab import files

    images = list(files.upload()) or images
names, photographs = load_images(find_images(images), size)
targets = augment(None, jnp.asarray(photographs), Augmentation(grey=True))
print(
    f"{', '.join(names)}: {targets.shape}, pixels from {targets.min():.2f} to {targets.max():.2f}"
)

# %% [markdown]
# ## Two networks
#
# A small ResNet-18 for small images, from the zoo that comes with the package: as it was initialised,
# and after learning to tell which photograph a crop comes from. Both began from the same weights, so
# what differs between them was learned. Neither has seen these photographs (the embedded ones are
# held out of its training set).

# %%
model = depthjax.build_model("resnet18_small")
networks = {
    "untrained": depthjax.load_weights(model, f"zoo:resnet18_small/untrained/{seed}"),
    "trained": depthjax.load_weights(model, f"zoo:resnet18_small/photos/{seed}"),
}
layer_names = list(depthjax.select_layers(model, layers))
print(", ".join(layer_names))

# %% [markdown]
# ## Invert every layer
#
# One call a layer. It sees the embedding of the photograph, never the photograph: that is only
# compared with the result afterwards. All descents begin at the same $a_0$.

# %%
config = depthjax.InversionConfig(steps=steps, record_every=2)
start = depthjax.initial_images(jax.random.key(1), targets.shape, config)
found = {
    network: {
        name: depthjax.autoencode(
            *(jax.random.key(2), depthjax.Layer(model, name), variables, targets, config),
            init=start,
            frames=frames,
        )
        for name in layer_names
    }
    for network, variables in networks.items()
}
ratios = {
    quantity: np.array(
        [[getattr(found[network][name], quantity) for name in layer_names] for network in networks]
    )  # [networks, layers, images]
    for quantity in ("input_ratio", "luminance_r2", "embedding_ratio")
}

# %%
for index, (network, runs) in enumerate(found.items()):
    display(
        figures.gallery(
            names,
            targets,
            start,
            layer_names,
            np.stack([run.images for run in runs.values()]),
            {
                "D": ratios["input_ratio"][index],
                "r²": ratios["luminance_r2"][index],
                "ρ": ratios["embedding_ratio"][index],
            },
            title=f"{network}: recovered from each layer's embedding alone",
        )
    )

# %% [markdown]
# ## Read the ratios
#
# A distance says nothing without a scale. The scale here is a copy of the photograph with a little
# noise, $a' = a + \sigma_r \varepsilon$ with $\sigma_r = 1/18$, which everybody would call the same
# picture (25 dB PSNR):
#
# $$\rho = \frac{\lVert O_l(a_g) - O_l(a) \rVert_2}{\lVert O_l(a') - O_l(a) \rVert_2},
# \qquad D = \frac{\lVert a_g - a \rVert_2}{\lVert a' - a \rVert_2}.$$
#
# * $\rho \le 1$: to this layer, $a_g$ is nearer to the photograph than the noisy copy is.
# * $D = 0$: the photograph itself was found; $D \approx 18 \times$ the root mean square error of pixels.
# * A small $\rho$ **with** a large $D$: the layer cannot tell $a_g$ from $a$.
#
# $D$ does not say what one sees: it is as large for a grey drawing of the photograph as for noise.
# $r^2$ does: the share of the photograph's luminance that $a_g$ shows at the best brightness and
# contrast; 1 is all of it, 0 nothing.
#
# Whether a $D$ is large, three baselines say that know nothing of the layer: the start $a_0$, the
# photograph's mean colour, and the photograph blurred by 8 pixels. And since a descent that was cut
# short has a large $D$ for another reason, layers are compared at the same $\rho$, read off the
# trajectory.

# %%
matched = 0.3
rows = [
    [
        f"{network}, {name}",
        median_and_range(run.embedding_ratio),
        median_and_range(run.input_ratio),
        median_and_range(run.luminance_r2, share),
        median_and_range(run.matched_input_ratio[MATCHED_RATIOS.index(matched)]),
    ]
    for network, runs in found.items()
    for name, run in runs.items()
]
display(
    Markdown(
        markdown_table(
            ["medians (range) over images", "ρ", "D", "r²", f"D at ρ = {matched:g}"], rows
        )
    )
)

baselines = found["untrained"][layer_names[0]].baselines
rows = [[name, median_and_range(value)] for name, value in baselines.items()]
display(Markdown(markdown_table(["baseline", "D"], rows)))

# %%
panels = {
    axis: np.array(
        [[interval_of(values[None], logarithmic=True)[:3] for values in table] for table in tables]
    )
    for axis, tables in (
        ("D (0: recovered)", ratios["input_ratio"]),
        ("ρ", ratios["embedding_ratio"]),
    )
}
display(
    figures.networks_against_depth(
        list(networks),
        layer_names,
        panels,
        logarithmic=list(panels),
        note=f"geometric means over {len(names)} images"
        f"{', 95 % intervals' * (len(names) >= LEAST)}, one seed of the weights",
    )
)

# %% [markdown]
# ## Is it the descent that failed?
#
# On the left the embedding comes nearer, step by step. On the right is what this brings for the
# image: where the line runs level, a better match of the embedding ($\rho$ falls, to the right) no
# longer brings the photograph back. A descent then no longer finds it. Whether the layer has lost it,
# the next notebook and read-outs tell. Where the line still falls at its end, more steps would recover
# more, and nothing can be said of the layer yet.

# %%
runs = found["untrained"]
reference = {name: run.measurement for name, run in runs.items()}
display(
    figures.trajectories(
        layer_names,
        [run.inversion.trajectory.step for run in runs.values()],
        [
            run.inversion.trajectory.embedding_distance
            / reference[name].reference_embedding_distance
            for name, run in runs.items()
        ],
        [
            run.inversion.trajectory.input_distance / reference[name].reference_input_distance
            for name, run in runs.items()
        ],
        title="untrained",
    )
)

# %% [markdown]
# ## Watch the descent
#
# Drag the slider: the iterates that were kept of the trained network's descents, closer together
# where more happens, with the ratios that each had come to.

# %%
runs = {name: found["trained"][name] for name in watched}
kept = {name: run.inversion.frames for name, run in runs.items()}
pictures = np.stack([frame.images[:, 0] for frame in kept.values()], axis=1) / 255
captions = []
for step in kept[watched[0]].step:
    row = []
    for run in runs.values():
        trajectory, measured = run.inversion.trajectory, run.measurement
        at = np.searchsorted(trajectory.step, step)
        d = trajectory.input_distance[at, 0] / measured.reference_input_distance[0]
        rho = trajectory.embedding_distance[at, 0] / measured.reference_embedding_distance[0]
        row.append(f"D {d:.2g}  ρ {rho:.2g}")
    captions.append(row)
film = figures.iterates(
    *([f"trained, {name}" for name in watched], targets[0]),
    *(kept[watched[0]].step, pictures, captions),
)
display(HTML(film.to_jshtml()))

# %% [markdown]
# ## A network of your own
#
# Whatever can be written as a function of weights and images can be inverted: here a module of Flax
# NNX. `check_layer` says whether a function is a layer (pure, in evaluation mode, every image by
# itself) and what to do if it is not. The guide [Bring your
# model](https://github.com/OWNER/depthjax/blob/main/docs/models.md) has the same for Linen, Equinox,
# Haiku and PyTorch.

# %%
from flax import nnx

mine = nnx.Sequential(
    *(nnx.Conv(3, 16, (3, 3), rngs=nnx.Rngs(0)), nnx.relu),
    *(nnx.Conv(16, 32, (3, 3), strides=2, rngs=nnx.Rngs(1)), nnx.relu),
)
graph, state = nnx.split(mine)
second = depthjax.NamedLayer(
    lambda state, images: {"second": nnx.merge(graph, state)(images)}, "second"
)
print(depthjax.check_layer(second, state, targets))
own = depthjax.autoencode(jax.random.key(2), second, state, targets, config, init=start)
print("ρ", own.embedding_ratio, "D", own.input_ratio)

# %% [markdown]
# ## What this does not say
#
# A small $\rho$ with a large $D$ is what a layer that has lost something looks like. An invertible
# layer that stretches some directions a million times more than others can look the same: descent
# recovers its weak directions only after very many steps. [The second
# notebook](02_why_depth_forgets.ipynb) tells the two apart: it counts exactly what each operation
# loses, decomposes the layer's Jacobian, and makes pairs of different images that a layer takes for
# one.
