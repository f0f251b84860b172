# The service alone: no torch, no training libraries, not root.
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
WORKDIR /src
RUN python3 -m venv /opt/tympan
COPY pyproject.toml constraints.txt README.md LICENSE tympan.py ./
COPY model model
COPY labels labels
COPY training training
COPY serving serving
ARG EXTRAS=
RUN /opt/tympan/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt ".${EXTRAS:+[$EXTRAS]}"

FROM ${BASE}
COPY --from=build /opt/tympan /opt/tympan
RUN useradd --system --uid 10001 --no-create-home tympan && install -d -o tympan -m 700 /keys /state
USER tympan
ENV PATH=/opt/tympan/bin:$PATH PYTHONUNBUFFERED=1 ORT_DISABLE_TELEMETRY=1 TYMPAN_KEYS=/keys/keys.json
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["python3", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/ready', timeout=2)"]
CMD ["tympan", "serve", "--host", "0.0.0.0", "--port", "8000"]
