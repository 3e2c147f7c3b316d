"""Networks of which it is known what they keep, and exact pre-images: claim C6."""
