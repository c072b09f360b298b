"""`python -m rnndyn` is the command `rnndyn`."""

from rnndyn.cli import main

if __name__ == "__main__":
    main()
