"""Do arbitrary inputs come to lie among the training examples: claim C14."""
