"""What loading a connector brings along, seen in a process of its own: no SDK, no HTTP client."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache

from bellwire.certification.kit import Kit
from bellwire.certification.rules import Level, Rule, claim

_SCRIPT = """
import json, sys
import bellwire.signing, bellwire.plugins, pydantic, defusedxml.ElementTree
class Any(pydantic.BaseModel):
    a: int
def roots():
    return {name.partition(".")[0] for name in sys.modules}
before = roots()
for name in sys.argv[1:]:
    __import__(name)
print(json.dumps(sorted((roots() - before) | (HEAVY & set(sys.modules)))))
"""
#: Of the standard library and of Bellwire's own dependencies, what nobody should wait for who only reads a webhook.
_HEAVY = {"requests", "urllib3", "aiohttp", "httpx", "pycurl", "http.client", "flask", "sqlalchemy"}


@cache
def _loaded(*modules: str) -> frozenset[str]:
    script = _SCRIPT.replace("HEAVY", repr(_HEAVY))
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(one for one in sys.path if one)}
    done = subprocess.run(  # noqa: S603  # this interpreter, the author's own module names
        [sys.executable, "-c", script, *modules], capture_output=True, text=True, check=False, timeout=60, env=environ
    )
    claim(
        done.returncode == 0, f"it can't be loaded by itself: {done.stderr.strip().splitlines()[-1][:200] if done.stderr else ''}"
    )
    return frozenset(json.loads(done.stdout.splitlines()[-1]))


def _light(kit: Kit) -> None:
    modules = [kit.subject.samples or kit.subject.verify.__module__]  # a connector's folder, and whatever that imports
    known = kit.roots | sys.stdlib_module_names | {"bellwire"}
    loaded = {one for one in _loaded(*modules) if not one.startswith("_")}
    strange = sorted((loaded - known) | (loaded & _HEAVY))
    claim(not strange, f"loading it imports {', '.join(strange)}; let `loaded_on_call` bring what calls out")


LIGHT = Rule("light-load", Level.BRONZE, "Loading it imports no SDK, no HTTP client and no web framework.", _light)
