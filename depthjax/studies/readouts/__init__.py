"""What linear read-outs recover from layers, beside what descents recover."""
