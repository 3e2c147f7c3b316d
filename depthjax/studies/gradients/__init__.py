"""General statistics of the gradient that a descent follows, against depth: claim C18."""
