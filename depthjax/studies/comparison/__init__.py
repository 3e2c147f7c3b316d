"""Networks of one architecture compared, untrained and trained: claims C10 to C13."""
