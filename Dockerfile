# The connector as an image. By itself it serves the simulated plant; `serve` in place of its command serves an ERP.
# Beyond this machine it answers nobody until there are keys, an OAuth issuer, or ALLOW_ANONYMOUS=true.
ARG BASE=docker.io/library/python:3.11-slim

FROM ${BASE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
COPY requirements-build.lock requirements.lock ./
RUN python -m venv /build/tools \
    && /build/tools/bin/pip install --quiet --require-hashes -r requirements-build.lock \
    && python -m venv --without-pip /opt/kai-erp \
    && /build/tools/bin/pip --python /opt/kai-erp/bin/python install --quiet --no-compile --no-deps \
        --only-binary :all: --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN /build/tools/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /build/wheel . \
    && /build/tools/bin/pip --python /opt/kai-erp/bin/python install --quiet --no-compile --no-deps --no-index \
        /build/wheel/*.whl \
    && /opt/kai-erp/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/kai-erp/lib

FROM ${BASE}
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="kai-erp" \
      org.opencontainers.image.description="Ask an Infor SyteLine / CloudSuite Industrial ERP one question in place of six API calls." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/kai-erp/kai-erp" \
      org.opencontainers.image.version="${VERSION}"
RUN groupadd --gid 1000 kai \
    && useradd --uid 1000 --gid 1000 --home-dir /data --no-create-home --shell /usr/sbin/nologin kai \
    && install --directory --owner=1000 --group=1000 --mode=0700 /data
COPY --from=build /opt/kai-erp /opt/kai-erp
ENV PATH=/opt/kai-erp/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    XDG_CONFIG_HOME=/data \
    HOST=0.0.0.0 \
    PORT=8100
# The keys file is all that is kept.
VOLUME /data
WORKDIR /data
USER 1000:1000
EXPOSE 8100
# http.client, unlike urllib, asks no proxy for the way to this machine.
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 CMD ["python", "-c", "import http.client, os, sys; health = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('PORT') or 8100), timeout=3); health.request('GET', '/health'); sys.exit(health.getresponse().status != 200)"]
ENTRYPOINT ["kai-erp"]
CMD ["serve", "--demo"]
