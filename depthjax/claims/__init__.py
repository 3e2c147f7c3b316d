"""The paper's claims: what each says, what would count, the verdict, and how all are run."""
