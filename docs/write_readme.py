"""Writes the table of the recommended systems into the README.

python docs/write_readme.py
"""

from pathlib import Path

from render_front import in_markdown

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- written by docs/write_readme.py -->\n", "<!-- end -->\n"


def main():
    """Replace what lies between the two comments."""
    before, _, rest = README.read_text("utf-8").partition(BEGIN)
    README.write_text(before + BEGIN + in_markdown() + END + rest.partition(END)[2], "utf-8")


if __name__ == "__main__":
    main()
