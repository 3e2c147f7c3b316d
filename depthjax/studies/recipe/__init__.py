"""The paper's own descent, as published and at other rates: claim C2 in the paper's terms."""
