# The images of mutt. Targets: mutt (the default: workers, API and commands), snmptrapd (with the bridge), rsyslog.
# docs/DEPLOYMENT.md says how they are used. Give base images by digest where builds must repeat byte for byte.
ARG PYTHON=python:3.11-slim-bookworm
ARG DEBIAN=debian:bookworm-slim

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
RUN python -m venv /opt/mutt && python -m venv /opt/build
COPY requirements.lock requirements-build.lock ./
RUN /opt/mutt/bin/pip install --require-hashes --only-binary :all: -r requirements.lock \
    && /opt/build/bin/pip install --require-hashes --only-binary :all: -r requirements-build.lock
COPY pyproject.toml README.md ./
COPY schemas schemas
COPY streams streams
COPY api api
COPY ops ops
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /dist . \
    && /opt/mutt/bin/pip install --no-deps --no-index /dist/*.whl \
    && /opt/mutt/bin/pip uninstall --yes setuptools pip \
    && /opt/mutt/bin/mutt --help > /dev/null

FROM ${PYTHON} AS base
RUN groupadd --gid 10001 mutt \
    && useradd --uid 10001 --gid mutt --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin mutt
COPY --from=build /opt/mutt /opt/mutt
ENV PATH=/opt/mutt/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 MUTT_HOST=0.0.0.0

FROM base AS snmptrapd
RUN apt-get update -q && apt-get install -q -y --no-install-recommends snmptrapd && rm -rf /var/lib/apt/lists/* \
    && install -d -o mutt -g mutt -m 0700 /var/lib/mutt-snmp
COPY ops/snmptrapd/mutt-snmptrapd /usr/local/bin/
ENV SNMP_PERSISTENT_DIR=/var/lib/mutt-snmp
USER 10001:10001
HEALTHCHECK --interval=10s --timeout=8s --start-period=60s CMD ["mutt", "ready", "snmp-bridge"]
ENTRYPOINT ["mutt-snmptrapd"]
CMD ["udp:1162"]

FROM ${DEBIAN} AS rsyslog
RUN apt-get update -q \
    && apt-get install -q -y --no-install-recommends rsyslog rsyslog-kafka rsyslog-openssl \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 mutt \
    && useradd --uid 10001 --gid mutt --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin mutt \
    && install -d -o mutt -g mutt -m 0700 /var/spool/mutt-rsyslog
COPY ops/rsyslog /opt/mutt-rsyslog
ENV RSYSLOG_PORT=5514 RSYSLOG_SPOOL=/var/spool/mutt-rsyslog
USER 10001:10001
ENTRYPOINT ["/opt/mutt-rsyslog/mutt-rsyslog"]

# No command of its own: say `mutt worker match`, `python -m api` or another one.
FROM base AS mutt
USER 10001:10001
CMD ["mutt", "--help"]
