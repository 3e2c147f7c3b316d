"""RESULTS.md and the pages of single runs, from what lies in results/."""
