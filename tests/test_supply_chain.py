"""What we depend on and what we give away: locks, licences, bill of materials, secrets, release notes (promises I1, I3)."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
AT_MOST = 60

#: Unmaintained, a stranger's, or known to replace another package's files.
NEVER = {"shopify-python-api", "niquests", "urllib3-future", "flask-sqlalchemy", "flask-session", "flask-talisman"}

#: What may be in everybody's installation. A copyleft licence would decide about the user's own code: an extra at most.
LICENCES = {
    "Apache-2.0",
    "Apache-2.0 AND MIT",
    "Apache-2.0 AND BSD-2-Clause",
    "Apache-2.0 OR BSD-3-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "LGPL-2.1-only OR MIT",
    "MIT",
    "MIT-0",
    "MIT OR Apache-2.0",
    "MPL-2.0",
    "PSF-2.0",
}

#: How packages without an SPDX expression say it.
CLASSIFIERS = {
    "MIT License": {"MIT"},
    "BSD License": {"BSD-2-Clause", "BSD-3-Clause"},
    "Apache Software License": {"Apache-2.0"},
    "Python Software Foundation License": {"PSF-2.0"},
    "Mozilla Public License 2.0 (MPL 2.0)": {"MPL-2.0"},
}

#: Detectors that only guess: they would find our own made-up secrets and the names of fields.
GUESSING = ["Base64HighEntropyString", "HexHighEntropyString", "KeywordDetector"]
IN_SAMPLES = ["TwilioKeyDetector", "BasicAuthDetector", "JwtTokenDetector"]  # vendors' documented examples, and tests of masking
RECENT = 20  # commits


def locked(path: Path) -> Mapping[str, str]:
    """Package → version of a lock file."""
    return dict(re.findall(r"^([A-Za-z0-9][\w.-]*)==(\S+)", path.read_text(), re.MULTILINE))


def listed() -> Mapping[str, tuple[str, str]]:
    """Package → licence and reason, of the page about dependencies."""
    rows = re.findall(r"^\| ([a-z0-9-]+) \| (.+?) \| (.+?) \|$", (ROOT / "docs/dependencies.md").read_text(), re.MULTILINE)
    return {name: (licence, why) for name, licence, why in rows if name != "package"}


BASE = locked(ROOT / "requirements" / "base.txt")


# -- dependencies -----------------------------------------------------------------------------------------------


def test_a_base_installation_is_small() -> None:
    assert 0 < len(BASE) <= AT_MOST


def test_every_package_stands_on_the_page_with_a_reason() -> None:
    assert listed().keys() == BASE.keys()
    assert [name for name, (_, why) in listed().items() if len(why) < 3] == []


def test_licences_are_such_that_anybody_may_use_us() -> None:
    assert {licence for licence, _ in listed().values()} <= LICENCES


@pytest.mark.parametrize("name", sorted(BASE))
def test_the_page_tells_the_licence_that_the_package_states(name: str) -> None:
    about = metadata.metadata(name)
    licence, _ = listed()[name]
    if about.get("License-Expression"):
        assert licence == about["License-Expression"]
        return
    if about.get("License") in LICENCES:
        assert licence == about["License"]
        return
    stated = [row.rpartition(" :: ")[2] for row in about.get_all("Classifier") or () if row.startswith("License ::")]
    assert stated, "states no licence; look for it by hand"
    assert licence in set().union(*(CLASSIFIERS[one] for one in stated))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_holds_versions_and_hashes_and_no_address(lock: Path) -> None:
    text = lock.read_text()
    assert not re.search(r"https?:|file:|git\+|--(extra-)?index|--find-links|--trusted-host|@ ", text)
    blocks = re.split(r"\n(?=[A-Za-z0-9])", text.strip())
    assert len(blocks) == len(locked(lock)) > 0
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_what_must_never_come_in_does_not(lock: Path) -> None:
    assert not NEVER & {canonicalize_name(name) for name in locked(lock)}


def test_the_locks_are_of_this_pyproject() -> None:
    """Whoever changes pyproject.toml runs `make lock`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for lock, wanted in (
        ("base", project["dependencies"]),
        ("all", [one for name, some in extras.items() if name not in ("all", "dev") for one in some]),
        ("dev", [one for some in extras.values() for one in some]),
    ):
        versions = {canonicalize_name(name): version for name, version in locked(ROOT / f"requirements/{lock}.txt").items()}
        for requirement in map(Requirement, wanted):
            name = canonicalize_name(requirement.name)
            if name != "bellwire":
                assert name in versions, f"{name} is not in requirements/{lock}.txt: make lock"
                assert requirement.specifier.contains(versions[name], prereleases=True), f"{name}: make lock"


def test_the_locks_agree() -> None:
    everything = locked(ROOT / "requirements" / "dev.txt")
    for lock in LOCKS:
        differing = {name for name, version in locked(lock).items() if everything.get(name, version) != version}
        assert not differing, f"{lock.name} differs from dev.txt: make lock"


#: `python -m cyclonedx_py`, but for the check of IRI formats, whose grammar takes five seconds to load.
CYCLONEDX = """\
import runpy, sys
sys.modules["rfc3987_syntax"] = None
runpy.run_module("cyclonedx_py", run_name="__main__", alter_sys=True)"""


def test_the_bill_of_materials_names_them_all(tmp_path: Path) -> None:
    out = tmp_path / "sbom.json"
    command = [sys.executable, "-c", CYCLONEDX, "requirements", str(ROOT / "requirements/base.txt"), "-o", str(out)]
    subprocess.run(command, check=True, capture_output=True)
    components = json.loads(out.read_text())["components"]
    assert {canonicalize_name(one["name"]): one["version"] for one in components} == {
        canonicalize_name(n): v for n, v in BASE.items()
    }
    assert all(one.get("hashes") or one.get("externalReferences") for one in components)


# -- secrets ----------------------------------------------------------------------------------------------------


def found_in(files: list[str], without: list[str], folder: Path = ROOT) -> list[str]:
    """`file: kind` of every secret that a detector sees, but for those in the baseline."""
    if not files:
        return []
    disabled = [part for name in without for part in ("--disable-plugin", name)]
    command = [sys.executable, "-m", "detect_secrets", "scan", *disabled, *files]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder).stdout)["results"]
    known = json.loads((ROOT / ".secrets.baseline").read_text())["results"]
    hashes = {(name, one["hashed_secret"]) for name, some in known.items() for one in some}
    return [f"{name}: {one['type']}" for name, some in told.items() for one in some if (name, one["hashed_secret"]) not in hashes]


def tracked() -> list[str]:
    listing = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT, check=False)
    if listing.returncode != 0:
        pytest.skip("not a git checkout: there is no list of what is in the repository")
    hashes = re.compile(r"requirements/.*\.txt$|\.secrets\.baseline$")  # nothing but hashes
    return [name for name in listing.stdout.splitlines() if not hashes.match(name) and (ROOT / name).is_file()]


def recent() -> list[str]:
    """What changed in the last commits or is not committed yet; all of it where the history does not go back so far."""
    command = ["git", "diff", "--name-only", f"HEAD~{RECENT}"]
    listing = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    everything = tracked()
    return everything if listing.returncode != 0 else sorted(set(everything) & set(listing.stdout.splitlines()))


def is_made_up(name: str) -> bool:
    return name.startswith("tests/") or "/samples/" in name


#: A look at each file takes 20 s of a core: `make proof` looks at all of them, the suite at what is new.
LOOKS = [pytest.param(recent, id="recent"), pytest.param(tracked, id="all", marks=pytest.mark.proof)]


@pytest.mark.parametrize("files", LOOKS)
def test_no_secret_is_in_the_repository(files: Callable[[], list[str]]) -> None:
    assert found_in([name for name in files() if not is_made_up(name)], ["KeywordDetector"]) == []


@pytest.mark.parametrize("files", LOOKS)
def test_no_real_secret_is_among_the_made_up_ones(files: Callable[[], list[str]]) -> None:
    assert found_in([name for name in files() if is_made_up(name)], GUESSING + IN_SAMPLES) == []


def test_a_secret_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "planted.py").write_text("key = '" + "AKIA" + "IOSFODNN7EXAMPLF'\n")
    assert [one.partition(": ")[2] for one in found_in(["planted.py"], GUESSING + IN_SAMPLES, tmp_path)] == ["AWS Access Key"]


# -- release notes ------------------------------------------------------------------------------------------------

KINDS = {"added", "changed", "fixed", "removed", "security"}


@pytest.mark.parametrize("path", sorted((ROOT / "changelog.d").iterdir()), ids=lambda path: path.name)
def test_a_fragment_can_become_a_release_note(path: Path) -> None:
    if path.name == "README.md":
        return
    slug, kind, suffix = path.name.split(".")
    text = path.read_text()
    assert re.fullmatch(r"[a-z0-9-]+", slug)
    assert (kind in KINDS, suffix) == (True, "md")
    assert text.strip().endswith(".")
    assert not text.startswith(("#", "-", "*"))
    assert "\n\n" not in text.strip()
