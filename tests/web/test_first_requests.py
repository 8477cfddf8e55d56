"""The models of the API are built when first asked for: by many threads at once, too."""

from __future__ import annotations

import subprocess
import sys

ASKED_AT_ONCE = """
import sys, threading
import bellwire_web.api
from bellwire_web.fields import Answer, Model
from pydantic import ValidationError

def below(kind):
    return [one for child in kind.__subclasses__() for one in (child, *below(child))]

models = [one for one in (*below(Model), *below(Answer)) if not one.__pydantic_generic_metadata__["parameters"]]
assert not any(one.__pydantic_complete__ for one in models), "built on import"
sys.setswitchinterval(1e-5)
together, wrong = threading.Barrier(16), []

def ask():
    together.wait()
    for model in models:
        try:
            model.model_validate_json(b'{"no such field": 1}')
            wrong.append(f"{model.__name__} took it")
        except ValidationError:
            pass
        except BaseException as e:
            wrong.append(f"{model.__name__}: {e!r}")

threads = [threading.Thread(target=ask) for _ in range(16)]
for one in threads: one.start()
for one in threads: one.join()
print(len(models) > 20, wrong[:3])
"""


def test_a_model_is_built_once_whoever_asks_first() -> None:
    done = subprocess.run([sys.executable, "-c", ASKED_AT_ONCE], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("True []\n", "")
