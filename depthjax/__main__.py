"""`python -m depthjax COMMAND …`."""

from depthjax.cli.commands import main

if __name__ == "__main__":
    main()
