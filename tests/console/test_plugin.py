"""What the plugin tells Airflow: where the console is to be found."""

from __future__ import annotations

from typing import Any

import pytest

from bothways.plugins import BothwaysConsole


def plugin(monkeypatch: pytest.MonkeyPatch, base_url: str) -> Any:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", base_url)
    return BothwaysConsole()


def test_it_is_in_the_navigation_and_a_tab_of_dags_and_dag_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    views = {view["destination"]: view for view in plugin(monkeypatch, "").external_views}
    assert {place: view["href"] for place, view in views.items()} == {
        "nav": "/bothways/",
        "dag": "/bothways/dags/{DAG_ID}",
        "dag_run": "/bothways/dags/{DAG_ID}/runs/{RUN_ID}",
    }
    assert {view["name"] for view in views.values()} == {"Sync Audit"}
    assert views["nav"]["nav_top_level"]


def test_it_is_found_where_airflow_is_below_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    views = plugin(monkeypatch, "https://tools.example/airflow/").external_views
    assert all(view["href"].startswith("/airflow/bothways/") for view in views)


def test_airflow_takes_what_keeps_addresses_out_of_its_event_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from bothways.console.gate import NoAddresses

    found = plugin(monkeypatch, "").fastapi_root_middlewares
    assert NoAddresses in [one["middleware"] for one in found]


def test_airflow_takes_every_view_and_the_application(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.api_fastapi.core_api.datamodels.plugins import (
        ExternalViewResponse,
        FastAPIAppResponse,
        FastAPIRootMiddlewareResponse,
    )

    found = plugin(monkeypatch, "")
    for view in found.external_views:
        ExternalViewResponse.model_validate(view)
    (app,) = found.fastapi_apps
    assert app["url_prefix"] == "/bothways"
    FastAPIAppResponse.model_validate(app | {"app": str(app["app"])})
    for one in found.fastapi_root_middlewares:
        named = one | {"middleware": one["middleware"].__name__}
        FastAPIRootMiddlewareResponse.model_validate(named)
