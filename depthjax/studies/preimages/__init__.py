"""The paper's invertible control, claim C6: as in its text, and as in its author's code."""
