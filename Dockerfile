# The image of every service in docker-compose.yaml but the database and the broker.
FROM python:3.12.12-slim

RUN useradd --create-home --uid 50000 bothways
WORKDIR /opt/bothways

COPY requirements.txt ./
RUN pip install --no-cache-dir --require-hashes --no-deps -r requirements.txt

COPY pyproject.toml README.md LICENSE ./
COPY src ./src
COPY include ./include
COPY sandbox ./sandbox
COPY demo ./demo
COPY dags ./dags
COPY plugins ./plugins
RUN pip install --no-cache-dir --no-deps --no-build-isolation --editable . --editable sandbox \
    && mkdir -p .bothways/sandbox && chown bothways .bothways .bothways/sandbox

USER bothways
ENV AIRFLOW_HOME=/opt/bothways/.bothways/airflow PYTHONUNBUFFERED=1
EXPOSE 8080
CMD ["airflow", "api-server"]
