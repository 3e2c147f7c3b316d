"""Read-outs of images from embeddings: what is there, whether or not a descent finds it.

A descent that does not recover an image may have failed, or the embedding may not hold the image.
A read-out that recovers more than the descent does shows that the descent failed. Two here are the
best linear ones, of examples and of the layer's Jacobian; the third is a convolutional decoder:

    readout = fit_ridge(embeddings, images)  # of many images
    guess = ridge_estimate(readout, embedding)
    guess = mmse_estimate(layer, variables, embedding, noise_std=noise, mean=flat)
    guess = decoder_estimate(fit_decoder(key, embeddings, images), embedding)
"""

from depthjax.analysis.readouts.decoder import DecoderReadout, decoder_estimate, fit_decoder
from depthjax.analysis.readouts.mmse import MmseEstimate, mmse_estimate, power_law_root
from depthjax.analysis.readouts.ridge import RidgeReadout, fit_ridge, ridge_estimate

__all__ = [
    "DecoderReadout",
    "MmseEstimate",
    "RidgeReadout",
    "decoder_estimate",
    "fit_decoder",
    "fit_ridge",
    "mmse_estimate",
    "power_law_root",
    "ridge_estimate",
]
