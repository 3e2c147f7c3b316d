"""How many recovered images are metamers, layer by layer, and what other networks see in them."""
