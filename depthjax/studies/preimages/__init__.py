"""The paper's invertible control, as its text and as its author's code have it: claim C6."""
