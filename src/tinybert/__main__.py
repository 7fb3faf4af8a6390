"""``python -m tinybert``."""

from tinybert.cli import main

if __name__ == "__main__":
    main()
