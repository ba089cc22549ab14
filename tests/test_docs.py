"""The documentation is complete, and the names, commands and links in it exist."""

import ast
import importlib
import re
import shlex
import shutil
import sys
import tomllib
from html.parser import HTMLParser
from itertools import chain
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import typer
import write_readme

import skser

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
HTML = DOCS / "_build" / "html"
PAGES = sorted(DOCS.glob("*.rst"))
OTHER_PROGRAMS = {"espeak-ng"}  # named on pages, but need not be installed for the tests
TUTORIALS = sorted((ROOT / "examples/tutorials").glob("plot_*.py"))
GALLERY = sorted((ROOT / "examples/gallery").glob("*/plot_*.py"))


def directives(text, name):
    """Yield the argument, options and content of each directive with this name."""
    found = re.finditer(rf"^( *)\.\. {name}:: *(.*)\n((?:\1 +.*\n|[ \t]*\n)*)", text + "\n", re.M)
    for match in found:
        lines = [line.strip() for line in match[3].splitlines() if line.strip()]
        options = [line for line in lines if re.match(r":[\w-]+:", line)]
        yield match[2].strip(), options, [line for line in lines if line not in options]


def reference():
    """Return the text of all pages of the API reference."""
    return "\n".join(page.read_text() for page in sorted(DOCS.glob("api_*.rst")))


def documented():
    """Return the names in the API reference, such as ``datasets.load_emodb``."""
    text = reference()
    entries = [line for _, _, content in directives(text, "autosummary") for line in content]
    return {*entries, *re.findall(r"``([\w.]+)``", text)}


def public_modules():
    """Yield the modules of the package that define ``__all__``."""
    for name in skser.__all__:
        if hasattr(module := getattr(skser, name), "__all__"):
            yield name, module


def test_every_public_name_is_in_the_reference():
    names = documented()
    missing = [
        f"{module_name}.{name}"
        for module_name, module in public_modules()
        for name in module.__all__
        if f"{module_name}.{name}" not in names
    ]
    short_names = {name.rsplit(".")[-1] for name in names}
    modules = {name for name, _ in public_modules()} | {"audio", "sequences", "__version__"}
    missing += [name for name in skser.__all__ if name not in modules | short_names]
    assert not missing


def test_every_name_in_the_reference_exists():
    text = reference()
    for _, _, content in directives(text, "autosummary"):
        for entry in content:
            *module, name = f"skser.{entry}".split(".")
            assert hasattr(importlib.import_module(".".join(module)), name), entry


def test_every_page_is_in_a_table_of_contents():
    reached, waiting = set(), ["index"]
    while waiting:
        page = waiting.pop()
        if page in reached or not (DOCS / f"{page}.rst").exists():
            continue
        reached.add(page)
        for _, _, content in directives((DOCS / f"{page}.rst").read_text(), "toctree"):
            waiting += [re.sub(r".*<(.*)>", r"\1", line) for line in content]
    assert {page.stem for page in PAGES} == {page for page in reached if "/" not in page}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_picture_has_alternative_text(page):
    for kind in ("image", "figure"):
        for picture, options, _ in directives(page.read_text(), kind):
            assert any(re.match(r":alt: \w+", option) for option in options), picture


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_code_on_a_page_is_a_doctest_or_a_console_command(page):
    text = page.read_text()
    languages = {language for language, _, _ in directives(text, "(?:code-block|code)")}
    assert languages <= {"console"}
    literal = re.findall(r"^(?! *\.\. ).*::$", text, re.M)
    assert not literal  # such code would never be run
    for path, _, _ in directives(text, "literalinclude"):
        assert (DOCS / path).is_file(), path


def fences(path):
    """Return the language and the lines of each code block in a Markdown file."""
    parts = re.split(r"^```(.*)\n", path.read_text(), flags=re.M)
    return [
        (kind, block.splitlines()) for kind, block in zip(parts[1::4], parts[2::4], strict=True)
    ]


def console_lines():
    """Yield the commands in pages, measured results and the README, with their source."""
    for page in PAGES:
        for language, _, content in directives(page.read_text(), "code-block"):
            if language == "console":
                for line in content:
                    if line.startswith("$ "):
                        yield page.name, line[2:]
    for kind, block in fences(ROOT / "README.md"):
        if kind == "console":
            yield from (("README.md", line[2:]) for line in block if line.startswith("$ "))
        elif kind in ("", "sh"):
            yield from (("README.md", line) for line in block if line)
    for result in sorted((ROOT / "benchmarks/results").glob("leaderboard_*.json")):
        if match := re.search(r'"command": "(.*?)"', result.read_text()):
            yield result.name, match[1]


def problem_with(line):
    """Return the problem with a command line or None, checking each part of a pipe."""
    return next(filter(None, map(problem_with_one, line.split(" | "))), None)


def problem_with_one(line):
    """Return the problem with the command of a single program, or None."""
    words = shlex.split(line, comments=True)
    program, *rest = [word for word in words if not re.match(r"[A-Z_]+=", word)]
    options = [word.split("=")[0] for word in rest if word.startswith("--")]
    if program.startswith("python") and rest and rest[0].endswith(".py"):
        script = ROOT / rest[0]
        if not script.is_file():
            return f"{rest[0]} does not exist"
        text = "".join(path.read_text() for path in script.parent.glob("*.py"))
        return next((f"no option {o}" for o in options if f'"{o}"' not in text), None)
    if program == "skser":
        command = typer.main.get_command(importlib.import_module("skser.cli._commands").app)
        if rest and not rest[0].startswith("-"):
            command = command.commands.get(rest[0])
            if command is None:
                return f"no command skser {rest[0]}"
        known = {"--help", *chain(*(parameter.opts for parameter in command.params))}
        return next((f"no option {o}" for o in options if o not in known), None)
    if program == "pip":
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        asked = ",".join(re.findall(r"\[(.*?)\]", line)).split(",")
        extras = project["optional-dependencies"]
        return next((f"no extra {e}" for e in asked if e and e.strip() not in extras), None)
    if program == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M)
        return next((f"no target {t}" for t in rest if t not in targets), None)
    scripts = str(Path(sys.executable).parent)
    known = (
        program in OTHER_PROGRAMS or shutil.which(program, path=scripts) or shutil.which(program)
    )
    return None if known else f"no program {program}"


def test_documented_commands_are_valid():
    lines = list(console_lines())
    assert len(lines) >= 5
    problems = {f"{where}: {line}": problem_with(line) for where, line in lines}
    assert not {line: problem for line, problem in problems.items() if problem}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("python benchmarks/no_such.py", "benchmarks/no_such.py does not exist"),
        ("python benchmarks/mpg.py --no-such", "no option --no-such"),
        ("pip install 'skser[no_such]'", "no extra no_such"),
        ("make no_such", "no target no_such"),
        ("skser no_such file.wav", "no command skser no_such"),
        ("cat list.txt | skser predict - --no-such", "no option --no-such"),
        ("no_such_program --help", "no program no_such_program"),
    ],
)
def test_an_invalid_command_is_found(line, problem):
    assert problem_with(line) == problem


def test_imports_in_the_readme_exist():
    blocks = [block for kind, block in fences(ROOT / "README.md") if kind == "python"]
    assert blocks
    for block in blocks:
        for node in ast.walk(ast.parse("\n".join(block))):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(node.module)
                assert all(hasattr(module, alias.name) for alias in node.names), node.module


def test_the_readme_has_the_present_table_and_its_picture():
    readme = (ROOT / "README.md").read_text()
    _, table = readme.split(write_readme.BEGIN)
    assert table.split(write_readme.END)[0] == write_readme.in_markdown()
    (picture,) = re.findall(r"!\[.+\]\((.+)\)", readme)
    assert (ROOT / picture).exists()


@pytest.mark.parametrize("script", TUTORIALS, ids=lambda script: script.stem)
def test_a_tutorial_needs_no_data_and_is_on_the_front_page(script):
    text = script.read_text()
    assert "make_emotional_speech" in text
    assert not re.search(r"environ|SKSER_|load_emodb\(|load_ravdess\(|fetch_", text)
    assert f"generated/tutorials/{script.stem}" in (DOCS / "index.rst").read_text()


@pytest.mark.parametrize("script", GALLERY, ids=lambda script: script.stem)
def test_an_example_runs_offline_and_draws_a_picture(script):
    text = script.read_text()
    assert "make_emotional_speech" in text
    assert not re.search(r"SKSER_|load_emodb\(|load_ravdess\(|fetch_|hf:", text)
    assert re.search(r"plt\.subplots|\.plot\.|Display\.from_", text)
    assert (script.parent / "GALLERY_HEADER.rst").exists()
    pages = re.findall(r":doc:`/([^`]*)`", text)
    assert all((DOCS / f"{page}.rst").exists() for page in pages), pages


def test_the_gallery_has_groups():
    assert len(GALLERY) >= 20
    assert len({script.parent for script in GALLERY}) >= 9
    titles = [script.read_text().splitlines()[1] for script in GALLERY]
    assert len(set(titles)) == len(titles)


class Page(HTMLParser):
    """Anchors, links, and pictures without alternative text of a built page."""

    def __init__(self, path):
        super().__init__()
        self.anchors, self.links, self.undescribed = set(), [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.anchors |= {attrs[key] for key in ("id", "name") if attrs.get(key)}
        for key in ("href", "src"):
            if attrs.get(key):
                self.links.append(attrs[key])
        if tag == "img" and not attrs.get("alt"):
            self.undescribed.append(attrs.get("src"))


def broken_links(folder):
    """Return the broken internal links of a built site, as page and link, and its pages."""
    files = (path for path in folder.rglob("*.html") if "_static" not in path.parts)
    pages = {path.resolve(): Page(path) for path in files}
    broken = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue  # external links are not requested
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchor = unquote(parts.fragment)
            known = pages[target].anchors if target in pages else None
            if not target.exists() or (anchor and known is not None and anchor not in known):
                broken.append((path.name, link))
    return broken, pages


@pytest.fixture(scope="module")
def built():
    index = HTML / "searchindex.js"  # the one file that every build writes
    newest = max(path.stat().st_mtime for path in (*PAGES, *TUTORIALS, *GALLERY))
    if not index.exists() or index.stat().st_mtime < newest:
        pytest.skip("The built documentation is missing or outdated: run make docs")
    return broken_links(HTML)


def test_internal_links_of_the_built_documentation_work(built):
    broken, pages = built
    assert len(pages) > len(PAGES)
    assert not broken


def test_pictures_of_the_built_documentation_have_alternative_text(built):
    undescribed = [
        (path.name, picture)
        for path, page in built[1].items()
        for picture in page.undescribed
        if picture and "_thumb" not in picture  # thumbnails are next to the tutorial's title
    ]
    assert not undescribed


def test_a_broken_link_is_found(tmp_path):
    (tmp_path / "a.html").write_text(
        '<a href="b.html#here">x</a><a href="b.html#gone">x</a><a href="c.html">x</a>'
        '<a href="#top">x</a><a href="https://example.org/none">x</a>'
    )
    (tmp_path / "b.html").write_text('<p id="here">x</p>')
    links = [link for _, link in broken_links(tmp_path)[0]]
    assert links == ["b.html#gone", "c.html", "#top"]


# Turns of phrase that make the text read as if it were translated.
PHRASES = {
    "is no": r"\b(?:is|are|was|were) no\b(?! (?:longer|more|less|fewer|other|better|worse|need|such"
    r"|file|folder)\b)",
    "behind": r"\bbehind\b",
    "tells": r"\b(?:told|tells?)\b",
    "docstring that opens with What": r"^ *r?\"\"\"(?:What|Whatever|Whether|How|Where|Who)\b",
    "parameter that opens with a preposition": r"^ *\*{0,2}\w[\w, *]* : .+\n +(?:Of|To|By|From|In"
    r"|With|For|As|At|On|Where|Whose|How|What|Which|Who)\b",
}


def written_files():
    """Yield the files of the package, its tests and its documentation, but no generated ones."""
    yield from sorted(ROOT.glob("*.md"))
    for folder in ("benchmarks", "docs", "examples", "skser", "tests"):
        for path in sorted((ROOT / folder).rglob("*.*")):
            generated = {"generated", "_build"} & set(path.relative_to(ROOT).parts)
            if path.suffix in (".py", ".rst", ".md", ".html") and not generated:
                yield path


@pytest.mark.parametrize("phrase", PHRASES)
def test_counted_phrases_stay_rare(phrase):
    found = [
        f"{path.relative_to(ROOT)}: {match[0].strip()}"
        for path in written_files()
        if path != Path(__file__)
        for match in re.finditer(PHRASES[phrase], path.read_text(), flags=re.M)
    ]
    assert len(found) < 10, found
