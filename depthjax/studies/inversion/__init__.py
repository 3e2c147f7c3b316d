"""A run of inversions: what is measured and drawn of it once all layers are inverted."""
