"""Images recovered from embeddings: what is minimised, how, and how near it comes."""
