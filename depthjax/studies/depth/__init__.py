"""How much of an image untrained ResNets keep, block by block: claims C1 to C3."""
