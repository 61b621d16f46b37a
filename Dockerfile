# A worker. Where Temporal and the database are comes from the environment:
# TEMPORAL_ADDRESS, MAINSTAY_DATABASE_URL.
FROM python:3.11-slim

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1

WORKDIR /app
# git is what repository plans run.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/*

COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src ./src
RUN pip install --constraint constraints.txt '.[postgres]'

RUN useradd --create-home --uid 10001 mainstay
USER mainstay
ENV MAINSTAY_DATA_DIR=/var/tmp/mainstay
WORKDIR /var/tmp

HEALTHCHECK --interval=30s --timeout=10s --start-period=15s --retries=3 \
    CMD ["mainstay", "doctor", "--quiet"]

ENTRYPOINT ["mainstay"]
CMD ["worker"]
