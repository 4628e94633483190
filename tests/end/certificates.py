"""Authorities and certificates, by openssl."""

import subprocess
import types


def openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)


def authority(directory, name):
    key, cert = directory / f"{name}.key", directory / f"{name}.pem"
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", f"/CN={name}", "-keyout", key, "-out", cert)
    return key, cert


def certificate(directory, name, subject, ca, extension, days=2):
    key, request, cert = (directory / f"{name}.{end}" for end in ("key", "csr", "pem"))
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", subject,
            "-keyout", key, "-out", request)
    (directory / f"{name}.ext").write_text(extension)
    openssl("x509", "-req", "-days", days, "-in", request, "-CA", ca[1], "-CAkey", ca[0], "-CAcreateserial",
            "-out", cert, "-extfile", directory / f"{name}.ext")
    return str(key), str(cert)


def make_tls(directory):
    """An authority with a server and a client, and another one with a rogue."""
    ca, other = authority(directory, "authority"), authority(directory, "other")
    usage = "extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=IP:127.0.0.1,DNS:localhost\n"
    made = types.SimpleNamespace(ca=str(ca[1]), other_ca=str(other[1]))
    made.server_key, made.server_cert = certificate(directory, "server", "/O=server", ca, usage)
    made.client_key, made.client_cert = certificate(directory, "client", "/O=client", ca, "extendedKeyUsage=clientAuth\n")
    made.rogue_key, made.rogue_cert = certificate(directory, "rogue", "/O=rogue", other, "extendedKeyUsage=clientAuth\n")
    return made
