# One image for every role; compose (or whatever runs it) says which: `wattledger price`, `wattledger collect` ...
FROM python:3.11-slim AS build
WORKDIR /build
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY ledger ledger
COPY streams streams
COPY collectors collectors
COPY projections projections
COPY migrations migrations
COPY console console
RUN python -m venv /srv/wattledger \
    && /srv/wattledger/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt '.[server]'

FROM python:3.11-slim
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/wattledger wattledger
COPY --from=build /srv/wattledger /srv/wattledger
ENV PATH=/srv/wattledger/bin:$PATH PYTHONUNBUFFERED=1
# A volume mounted here is its user's, not root's.
RUN install -d -o wattledger /var/lib/wattledger/witness
USER wattledger
WORKDIR /var/lib/wattledger
# A collector's spool is the log of record until the ledger acknowledges it: it must outlive the container.
VOLUME /var/lib/wattledger
ENTRYPOINT ["wattledger"]
CMD ["--help"]
