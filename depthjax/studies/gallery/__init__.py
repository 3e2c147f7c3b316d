"""The same photographs recovered from several networks, and what a trained one sees in them."""
