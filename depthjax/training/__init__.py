"""Networks trained here: the steps, the folder of a run, and the packing of what came out."""
