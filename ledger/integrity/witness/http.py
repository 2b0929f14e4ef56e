"""A witness behind HTTP: POST adds JSON lines, GET gives them all, GET with `?newest=1` the last one.

What answers must keep lines in the order in which it took them, and answer a POST with 2xx only once they are safe.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from urllib.request import Request, urlopen

from ledger.integrity.witness.records import Record, WitnessFailed, line_of, record_of

_TIMEOUT_S = 10.0


class HttpWitness:
    """An endpoint that someone else runs; credentials, where it asks for any, are part of the address."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.name = url.rpartition("@")[2]

    def append(self, records: Sequence[Record]) -> None:
        """Add records and wait until the endpoint says that it has them."""
        body = b"".join(line_of(record) for record in records)
        request = Request(  # noqa: S310 - the operator's own address, http or https by `open_witness`
            self.url, data=body, method="POST", headers={"Content-Type": "application/x-ndjson"}
        )
        with self._answer(request):
            pass

    def newest(self) -> Record | None:
        """Return the newest record."""
        mark = "&" if "?" in self.url else "?"
        return next(self._lines(f"{self.url}{mark}newest=1"), None)

    def records(self) -> Iterator[Record]:
        """Yield every record from the first."""
        yield from self._lines(self.url)

    def _lines(self, url: str) -> Iterator[Record]:
        with self._answer(Request(url)) as response:  # noqa: S310 - as above
            for number, line in enumerate(response, 1):
                yield record_of(line, where=f"line {number} of {self.name}")

    @contextmanager
    def _answer(self, request: Request) -> Iterator[HTTPResponse]:
        try:
            with urlopen(request, timeout=_TIMEOUT_S) as response:  # noqa: S310 - as above
                yield response
        except (OSError, HTTPException) as error:
            raise WitnessFailed(f"{self.name} does not answer as a witness: {error}") from error
