# %% [markdown]
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/depthjax/blob/main/colab/03_train_compare_reproduce.ipynb)
#
# # Train, compare, reproduce
#
# What does training change in what a layer keeps? The paper (B. L. Badger,
# [arXiv 2211.06496](https://arxiv.org/abs/2211.06496)) compares networks that were trained on
# photographs, trained on noise, and not trained, and finds that training does not remove
# non-uniqueness ([the first notebook](01_invert_a_layer.ipynb) measures it), makes early layers of
# photograph-trained networks clearer, and fills late ones with what training has suggested.
#
# Here all three are made, in minutes or in as long as you give them, and compared. Where depthjax is
# installed already, leave the next cell out.

# %% tags=["install"]
# %pip install --quiet "depthjax[hub] @ git+https://github.com/OWNER/depthjax"

# %% tags=["parameters"]
size = 32  # pixels each way
blocks = (2, 2, 2, 2)  # of each stage of the network: a small ResNet-18
examples = 2000  # of each training set; all of photo_crops are 6000
epochs = 4
batch_size = 64  # a multiple of the number of devices
learning_rate = 2e-3
seed = 0
from_zoo = False  # True: compare the package's fully trained networks, not those trained here
images = ["astronaut", "chelsea", "coffee", "rocket"]  # none of them is in the training set
layers = "all-stages"
steps = 200
data_dir = None  # where data sets are prepared; None: ~/tensorflow_datasets
imagenet = "torchvision:resnet18"  # from the Hugging Face Hub, or the path of a file; "": none
imagenet_size = 64
imagenet_layers = ["conv1", "layer1", "layer3"]
reproduce = False  # True: the quick reproduction of all claims; see below how long it takes

# %% [markdown]
# ## Devices
#
# One mesh of whatever JAX sees. Training shares every batch between all devices.

# %%
# %matplotlib inline
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
from IPython.display import Markdown, display

import depthjax
from depthjax import figures
from depthjax.cli.scripts import scripts_folder
from depthjax.data import Augmentation, augment, open_dataset
from depthjax.devices.sharding import data_mesh, replicated
from depthjax.devices.unused import unused_accelerator
from depthjax.images import load_images
from depthjax.models.labels import describe, top_classes
from depthjax.statistics import LEAST, interval_of
from depthjax.tables import markdown_table, median_and_range
from depthjax.training import TrainingConfig, evaluate, fit, init_state
from depthjax.weights import fetch

mesh = data_mesh()
print(f"{mesh.size} × {jax.devices()[0].device_kind}, JAX {jax.__version__}")
if line := unused_accelerator():
    print(line)

# %% [markdown]
# ## Two tasks
#
# *Photographs*: which photograph does this crop come from? Crops for testing are cut from blocks of
# the photographs that training never sees. *Noise*: the paper's task, Gaussian images
# $\mathcal{N}(1/2, 1/4^2)$ with random labels, which can only be memorised. Colour is taken away from
# the crops, because it would give the answer away.

# %%
datasets = {
    "photos": open_dataset(f"photo_crops/{size}", split=f"train[:{examples}]", data_dir=data_dir),
    "noise": open_dataset(f"noise/{size}", split=f"train[:{examples}]"),
}
for name, dataset in datasets.items():
    print(f"{name}: {len(dataset)} images {dataset.image_shape}, {len(dataset.classes)} classes")

# %% [markdown]
# ## Train
#
# All networks begin from the same weights, so what differs between them was learned. A training is an
# iterator of steps; each step is one compiled program on all devices.

# %%
model = depthjax.build_model("resnet18_small", stage_sizes=blocks)
untrained = depthjax.init_variables(model, jax.random.key(seed), image_size=size)
untrained = jax.device_put(untrained, replicated(mesh))  # on every device, as trained ones are
config = TrainingConfig(
    epochs=epochs, batch_size=batch_size, optimizer="adam", learning_rate=learning_rate, seed=seed
)
networks, losses, accuracies = {"untrained": untrained}, {}, {}
for name, dataset in datasets.items():
    steps_made = []
    for progress in fit(model, init_state(model, untrained, config), dataset, config):
        steps_made.append((progress.metrics.loss, progress.metrics.accuracy))
    networks[name] = progress.state.weights
    by_epoch = np.reshape(steps_made, (epochs, -1, 2)).mean(1)
    losses[name], accuracies[name] = by_epoch.T
display(figures.learning_curve(range(1, epochs + 1), losses, accuracies))

# %%
held_out = open_dataset(f"photo_crops/{size}", split="test", data_dir=data_dir)
result = evaluate(model, networks["photos"], held_out, batch_size=batch_size)
print(f"crops of blocks never seen in training: {result.top1:.1%} right of {result.examples}")
if from_zoo:
    for name in datasets:
        networks[name] = depthjax.load_weights(model, f"zoo:resnet18_small/{name}/{seed}")

# %% [markdown]
# ## Compare
#
# The same photographs, none of which is in the training set, are recovered from the same layers of all
# three networks, from the same start. $\rho$ and $D$ are the distances of the embedding and of the
# image, in units of a lightly noised copy.

# %%
names, photographs = load_images(images, size)
targets = augment(None, jnp.asarray(photographs), Augmentation(grey=True))
layer_names = list(depthjax.select_layers(model, layers))
descent = depthjax.InversionConfig(steps=steps)
start = depthjax.initial_images(jax.random.key(1), targets.shape, descent)
found = {
    network: [
        depthjax.autoencode(
            jax.random.key(2), depthjax.Layer(model, name), variables, targets, descent, init=start
        )
        for name in layer_names
    ]
    for network, variables in networks.items()
}
signs = {"D": "input_ratio", "r²": "luminance_r2", "ρ": "embedding_ratio"}
numbers = {  # [networks, layers, images]
    sign: np.array([[getattr(run, quantity) for run in runs] for runs in found.values()])
    for sign, quantity in signs.items()
}
repeated = (len(found), *targets.shape[1:])
display(
    figures.gallery(
        list(found),
        np.broadcast_to(targets[0], repeated),
        np.broadcast_to(start[0], repeated),
        layer_names,
        np.array([[run.images[0] for run in runs] for runs in found.values()]).swapaxes(0, 1),
        {sign: table[:, :, 0].T for sign, table in numbers.items()},
        title=f"{names[0]}, recovered from the layers of three networks",
    )
)

# %%
panels = {
    axis: np.array(
        [[interval_of(values[None], logarithmic=True)[:3] for values in table] for table in tables]
    )
    for axis, tables in (("D (0: recovered)", numbers["D"]), ("ρ", numbers["ρ"]))
}
display(
    figures.networks_against_depth(
        list(found),
        layer_names,
        panels,
        logarithmic=list(panels),
        note=f"geometric means over {len(names)} images"
        f"{', 95 % intervals' * (len(names) >= LEAST)}, one seed of the weights",
    )
)

# %% [markdown]
# One seed of short trainings shows how the comparison is made, not how it comes out. What
# `experiments/compare.py` found, at matched $\rho$ and with every claim judged by the statistic that
# was fixed for it, of networks trained on ImageNet and of three seeds of the zoo, is in
# [RESULTS.md](https://github.com/OWNER/depthjax/blob/main/RESULTS.md).
#
# ## Weights of ImageNet
#
# With a network at hand torchvision's weights are loaded from their mirror on the Hugging Face Hub, by
# content and without PyTorch. `normalization` is what they expect of their pixels; it becomes part of
# the layer, so images stay in $[0, 1]$.

# %%
large = depthjax.build_model("resnet18")
try:
    file = fetch(imagenet) if imagenet else None
except ValueError as error:
    file = None
    print(f"no ImageNet weights here: {error}")

# %%
if file is not None:
    variables = depthjax.load_weights(large, file)
    _, photographs = load_images(images, 224)
    head = depthjax.Layer(large, "fc", file.normalization)
    best = top_classes(head(variables, jnp.asarray(photographs)), 3)
    for index, name in enumerate(names):
        print(f"{name}: {describe(jax.tree.map(lambda leaf, i=index: leaf[i], best))}")
    _, photographs = load_images(images, imagenet_size)
    targets = photographs
    start = depthjax.initial_images(jax.random.key(1), targets.shape, descent)
    runs = [
        depthjax.autoencode(
            jax.random.key(2),
            depthjax.Layer(large, name, file.normalization),
            variables,
            targets,
            descent,
            init=start,
        )
        for name in imagenet_layers
    ]
    display(
        figures.gallery(
            names,
            targets,
            start,
            imagenet_layers,
            np.stack([run.images for run in runs]),
            {
                sign: np.stack([getattr(run, quantity) for run in runs])
                for sign, quantity in signs.items()
            },
            title=f"{imagenet}: recovered from each layer's embedding alone",
        )
    )
    rows = [
        [name, median_and_range(run.embedding_ratio), median_and_range(run.input_ratio)]
        for name, run in zip(imagenet_layers, runs, strict=True)
    ]
    display(Markdown(markdown_table(["medians (range) over images", "ρ", "D"], rows)))

# %% [markdown]
# ## Reproduce
#
# The package brings its scripts along. `reproduce.py` runs a plan of them, from flag files that state
# every setting, and ends in a table with a verdict on every claim of the paper; cut off, it goes on
# when it is called again. `--scale=quick` takes about a quarter of an hour on two idle CPU cores, so it is off
# unless `reproduce = True` in the parameters. `--scale=cpu` and `--scale=paper` are the larger plans.

# %%
script = scripts_folder() / "reproduce.py"
print(f"scripts: {', '.join(sorted(path.stem for path in script.parent.glob('*.py')))}")
if reproduce:
    command = [sys.executable, str(script), "--scale=quick", "--output=reproduction"]
    subprocess.run(command, check=True)
