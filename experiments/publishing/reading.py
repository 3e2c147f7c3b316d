"""How RESULTS.md is to be read: which runs decide, lines, verdicts, columns of its table."""

READING = """\
**Which runs decide.** A claim has one or more parts. Each part is decided by the runs with the
largest images, among those with enough seeds and photographs for a confidence interval. If several
runs share that image size, the mean over all their *places* decides; a place is one layer of one
network. What each run says alone is listed below the claim. Runs called `quick` are of small
networks and of images of 8 to 32 pixels; the size of each stands in [the list of runs](#runs). A
place that several runs have measured counts once: of the run that asked for more seeds and
photographs there, else of the one with more values there, else of the one with more values in all
that it measured. Beside the numbers of a run that is not used stands why. If two networks
contradict each other, that is if their intervals have no value in common, their mean still decides,
but each is printed.

**How to read a line.** *1.4 [0.9, 2.1]; asked < 1, resnet18, layer4; 3 × 3 seeds × images* would
mean: the value is 1.4, with a 95 % interval from 0.9 to 2.1; the claim requires a value below 1; it
was measured in layer4 of resnet18, with 3 weight seeds and 3 photographs. *(108 of 120)*: the
statistic could be computed for 108 of 120 descents. *10 networks, one photograph* (on the pages of
runs *these 1*): there is one by design, which is no sample, so the interval covers the variation of
the other kind alone. *exact*: neither seeds nor photographs are a sample, so every single value
must meet the condition; the brackets then are the least and the largest value (C4, C9), and no
interval. D, ρ, m_g and m_i are distances of images and of embeddings: [their
definitions](README.md#reading-the-output).

**Verdicts.** A part is *contradicted* if its interval lies wholly outside of the effects that are
large enough to matter; the smallest such effect is in the column *of interest*. If ρ < 1 is asked
and that effect is 0.1, an interval wholly above 0.9 contradicts, even if it holds values below 1.
Otherwise a part is *supported* if its whole interval meets what is asked, *open* if only some of it
does, and *not reached* if too little is known for an interval, whatever the estimate. A claim is
*supported* if all its parts are, *not supported* if one is contradicted, and otherwise *undecided
at this scale*. If we had said before the run that it could hardly decide a part that is undecided,
the claim is *not decidable at this scale*. *No verdict*, on the page of a run, says that it has
numbers of the claim, but of none of the parts that decide about it. Supports are corrected for
multiple testing over the claims (Holm). A verdict is *exploratory* if its run was made before the
claim got its present wording, or before a rule of judging (bounds, intervals, the mean over places)
got its present form. *By a run chosen afterwards*: by a rule younger than the results of two runs,
of which the other gives another verdict: [which rules are younger than which
results](docs/claims.md#which-rules-are-older-than-which-results). More: [the
guide](docs/claims.md#what-a-verdict-rests-on).

**Columns of the table.** *Decided by*: the part of the claim that decided, with its number. *n*:
weight seeds × photographs. *Of interest*: the smallest effect that matters. *Detectable*: the
smallest effect that this run finds in four of five cases. *Plan*: a hash of the claim and of the
rules, written before the run. In the tables of parts, *vote*: whether the claim needs the part;
*places*: over how many its number is the mean."""
