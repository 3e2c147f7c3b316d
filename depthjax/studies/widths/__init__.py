"""How wide a multilayer perceptron must be to keep its input: claims C4, C5, C7 and C8."""
