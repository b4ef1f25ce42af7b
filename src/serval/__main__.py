"""`python -m serval` is the command `serval`."""

from serval.cli import main

if __name__ == "__main__":
    main()
