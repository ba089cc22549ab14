"""Run the command line with ``python -m skser``."""

from skser.cli import main

if __name__ == "__main__":
    main()
