"""Figures of recovered images, of their distances, and of the studies.

Every function takes arrays and labels and returns a `matplotlib.figure.Figure`; `iterates` returns
an animation. Nothing is shown, no global setting changes, and only `save_figure` writes files.
Layers are given shallow to deep.

D and ρ are those of `depthjax.inversion.metrics`: D = m_i / m_i' is the distance of an image from
the target (0: recovered), ρ = m_g / m_r the distance of its embedding. The unit of both is the
distance of a lightly noised copy.

Which script draws what:
    invert.py: `gallery`, `distances`, `trajectories`, `matrix`, and `storyboard` for films
    compare.py, readouts.py: `gallery`, `comparison`
    gallery.py, measures.py, uniqueness.py: `gallery`
    gradients.py, metamers.py, recipe.py: `comparison`
    jacobian.py: `comparison`, `singular_values`
    controls.py, depth.py, filters.py, manifold.py, prediction.py, widths.py, witnesses.py: the
        module of the same name
    train.py: `learning`; sweep.py: `workers`; notebooks: `iterates` and many of the others

Matplotlib is imported when the first figure is drawn; `__init__.pyi` says where each function is.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
