"""The site of the documents, which `make docs-test` looks at once `make docs` has built it.

`make test` needs no site, so without DEPTHJAX_SITE, the folder of one, nothing here is collected.
"""

import os

collect_ignore_glob = [] if os.environ.get("DEPTHJAX_SITE") else ["test_*.py"]
