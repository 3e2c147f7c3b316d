"""Analyses of layers and networks beside inversion.

Of a layer: what its operations lose (`accounting`), the singular values of its Jacobian
(`singular_values`, `ball_section`), how many bits it holds (`bits`), images that it cannot tell
apart (`witnesses`), what can be read from its embeddings linearly (`readouts`), how near these are
to those of training examples (`nearness`).
Of descents: what linear theory predicts (`prediction`, `prediction_by_products`, `linear_mlp`),
exact solutions (`preimages`), the power spectra of recovered images (`power_spectrum`), how far
they are from their targets to another network (`perceptual`).
Of weights: how smooth filters are (`filters`).
"""
