"""A site file signed in the office: nobody at the edge takes a supply's protection off unseen."""

from pathlib import Path

from collectors.errors import BadFile
from collectors.site import Site, read_site
from ledger.values.signing import OrderVerifier


def signature_file(site_file: Path) -> Path:
    """Return where a site file's signature is kept: beside it, as hex."""
    return site_file.with_name(f"{site_file.name}.sig")


def read_signed_site(path: Path, *, verifier: OrderVerifier, must_be_signed: bool) -> Site:
    """Read a site file; a signature beside it must be over these very bytes.

    Raises BadFile where it is not, where there is none but must be one, and for every error in the file itself. What
    the file names (profiles of one's own, certificates) is not signed with it.
    """
    content = _content(path)
    signature = signature_file(path)
    if signature.exists():
        if not verifier.is_authentic_file(content, signature.read_text(encoding="ascii", errors="replace").strip()):
            raise BadFile(
                path=str(path), errors=[f"{signature.name} is not its signature; {_REMEDY.format(path=path)}"]
            )
    elif must_be_signed:
        raise BadFile(path=str(path), errors=[f"{signature.name} is missing; {_REMEDY.format(path=path)}"])
    site = read_site(path)
    if _content(path) != content:
        raise BadFile(path=str(path), errors=["it was changed while it was read; read it again"])
    return site


_REMEDY = "sign it where WATTLEDGER_SIGNING_KEY is: wattledger keys sign-site {path}"


def _content(path: Path) -> bytes:
    # A file that cannot be read is told by `read_site`, with its remedy.
    return path.read_bytes() if path.is_file() else b""
