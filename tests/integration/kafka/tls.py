"""Certificates for a test: an authority, a broker and a client, made anew by the JDK's keytool."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "store-password-5b1c"  # noqa: S105  (of stores that live as long as a test)
_STORE = ("-storetype", "PKCS12", "-storepass", PASSWORD)
_KEY = ("-keyalg", "EC", "-groupname", "secp256r1", "-validity", "2")


@dataclass(frozen=True, slots=True)
class Certificates:
    """Files of one authority. Stores are PKCS#12 with :data:`PASSWORD`.

    Attributes:
        ca: the authority's certificate as PEM, for clients.
        truststore: the same as a store, for brokers.
        broker: key and chain of a broker on 127.0.0.1.
        client: key and chain of a client.
    """

    ca: Path
    truststore: Path
    broker: Path
    client: Path


def make_certificates(folder: Path) -> Certificates:
    """Makes all of them in a folder, which has to exist."""
    made = Certificates(*(folder / name for name in ("ca.pem", "trust.p12", "broker.p12", "client.p12")))
    authority = folder / "authority.p12"
    _keytool("-genkeypair", authority, "ca", *_KEY, "-dname", "CN=test authority", "-ext", "bc:c")
    _keytool("-exportcert", authority, "ca", "-rfc", "-file", str(made.ca))
    _keytool("-importcert", made.truststore, "ca", "-noprompt", "-file", str(made.ca))
    for store, name, extension in (
        (made.broker, "broker", "san=ip:127.0.0.1"),
        (made.client, "client", "eku=clientAuth"),
    ):
        request, certificate = folder / f"{name}.csr", folder / f"{name}.pem"
        _keytool("-genkeypair", store, name, *_KEY, "-dname", f"CN={name}")
        _keytool("-certreq", store, name, "-file", str(request))
        signing = ("-infile", str(request), "-outfile", str(certificate), "-rfc", "-validity", "2", "-ext", extension)
        _keytool("-gencert", authority, "ca", *signing)
        _keytool("-importcert", store, "ca", "-noprompt", "-file", str(made.ca))
        _keytool("-importcert", store, name, "-noprompt", "-file", str(certificate))
    return made


def _keytool(command: str, store: Path, alias: str, *options: str) -> None:
    line = [
        "keytool",
        "-J-XX:TieredStopAtLevel=1",
        command,
        *_STORE,
        "-keystore",
        str(store),
        "-alias",
        alias,
        *options,
    ]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        raise RuntimeError(f"keytool {command} failed:\n{done.stdout}{done.stderr}")
