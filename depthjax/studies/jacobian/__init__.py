"""The singular values of layers, and what operations lose exactly: claims C9 and C16."""
