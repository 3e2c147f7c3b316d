"""The set of images that a layer takes for one, from restarts that begin far apart."""
