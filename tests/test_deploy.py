"""What `deploy/` holds is what its programs take: the unit is hardened, the proxies' samples are read, requests pass unchanged."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
EXPOSURE_MAX = 2.5  # systemd's own measure, 0 to 10


def needs(program: str) -> str:
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if found is None:
        pytest.skip(f"no {program} on this machine")
    return found


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that is here: whether /opt/bellwire is there is not the question."""
    text = (DEPLOY / "bellwire.service").read_text().replace("/opt/bellwire/bin/bellwire", "/bin/true")
    made = tmp_path / "bellwire.service"
    made.write_text(text)
    return made


def test_systemd_takes_the_unit(unit: Path) -> None:
    done = subprocess.run([needs("systemd-analyze"), "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, "")


def test_the_unit_is_hardened(unit: Path) -> None:
    done = subprocess.run(
        [needs("systemd-analyze"), "security", "--offline=true", "--no-pager", str(unit)],
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"Overall exposure level for bellwire\.service: ([0-9.]+)", done.stdout)
    assert found is not None, done.stdout
    assert float(found[1]) <= EXPOSURE_MAX


def test_nginx_takes_its_sample(tmp_path: Path) -> None:
    nginx, openssl = needs("nginx"), needs("openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            openssl,
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            "/CN=sms.example.com",
            "-keyout",
            key,
            "-out",
            certificate,
        ],
        capture_output=True,
        check=True,
    )
    live = "/etc/letsencrypt/live/sms.example.com"
    sample = (DEPLOY / "nginx.conf").read_text()
    sample = sample.replace(f"{live}/fullchain.pem", str(certificate)).replace(f"{live}/privkey.pem", str(key))
    whole = tmp_path / "nginx.conf"
    paths = "".join(f"{name}_temp_path {tmp_path}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    whole.write_text(f"pid {tmp_path}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n{paths}{sample}\n}}\n")
    done = subprocess.run([nginx, "-t", "-q", "-p", tmp_path, "-c", whole], capture_output=True, text=True, check=False)
    told = [line for line in done.stderr.splitlines() if "could not open error log" not in line and '"user" directive' not in line]
    assert (done.returncode, told) == (0, [])


def test_caddy_takes_its_sample(tmp_path: Path) -> None:
    done = subprocess.run(
        [needs("caddy"), "validate", "--config", str(DEPLOY / "Caddyfile"), "--adapter", "caddyfile"],
        capture_output=True,
        text=True,
        check=False,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr
    assert "Valid configuration" in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["Caddyfile", "nginx.conf"])
def test_no_proxy_writes_paths_into_a_log(name: str) -> None:
    text = re.sub(r"#.*", "", (DEPLOY / name).read_text())
    assert not re.search(r"^\s*log\b|access_log (?!off;)", text, re.MULTILINE)
    assert name != "nginx.conf" or text.count("access_log off;") == text.count("server_name")
