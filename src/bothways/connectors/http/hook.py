"""What all vendors' Airflow hooks share: an `HttpHook` that leaks nothing and always times out.

Airflow's own hook logs the body of a refusal, waits without end, opens a session for each call and
tests a connection with POST; all four are overridden here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from airflow.providers.http.hooks.http import HttpHook
from requests import RequestException

from bothways.connectors.base import ConnectionSettings, Connector
from bothways.connectors.http.client import failure_of
from bothways.connectors.http.origins import credentials_go_to
from bothways.connectors.http.reading import within
from bothways.connectors.http.retry import RetryPolicy
from bothways.connectors.http.session import Session, Timeouts
from bothways.connectors.http.verdicts import FAILURE_MESSAGES, VerdictTable
from bothways.errors import BothwaysError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Collection

    import requests
    from airflow.sdk import Connection


_SCHEMAS = {None, "", "http", "https"}


class ConnectorHook(HttpHook):
    """Gives a connector the settings that an Airflow connection holds.

    A vendor's hook sets ``conn_type``, ``hook_name``, ``default_conn_name``, ``default_host`` and
    ``hosts``, and says how its connector is made.
    """

    conn_name_attr = "http_conn_id"
    # The vendor's own: names, or endings of names that begin with a dot. Credentials go to these.
    hosts: ClassVar[Collection[str]] = ()

    def connector(self) -> Connector:
        """Return the connector for this connection."""
        raise NotImplementedError

    def settings(self) -> ConnectionSettings:
        """Return the connection's settings.

        Raises:
            ConfigurationError: It is another vendor's, has no host where one is needed, or one that
                is not the vendor's.
        """
        connection = self.get_connection(self.http_conn_id)
        if connection.conn_type != self.conn_type:  # one vendor's secret must not go to another
            raise ConfigurationError(
                f"Connection `{self.http_conn_id}` is of type `{connection.conn_type}`; "
                f"name one of type {self.hook_name} (`{self.conn_type}`)."
            )
        host = self.host_of(connection)
        if not host:
            raise ConfigurationError(
                f"Connection `{self.http_conn_id}` has no host; fill it in on Airflow's page."
            )
        if connection.schema not in _SCHEMAS:
            raise ConfigurationError(
                f"Connection `{self.http_conn_id}` has a schema that is neither http nor https; "
                "leave it empty."
            )
        url = _url(host.strip(), connection.schema or "https", connection.port)
        address = credentials_go_to(url, vendor=self.hook_name, hosts=self.hosts)
        return ConnectionSettings(
            base_url=address.origin + address.path,
            login=connection.login or "",
            password=connection.password or "",
            extra=dict(connection.extra_dejson),
        )

    def host_of(self, connection: Connection) -> str:
        """Return the host of a connection: the vendor's, where it names none.

        Raises:
            ConfigurationError: It is not that of an API.
        """
        return connection.host or self.default_host

    def get_conn(
        self,
        headers: dict[Any, Any] | None = None,
        extra_options: dict[str, Any] | None = None,  # noqa: ARG002 - the parent's signature
    ) -> requests.Session:
        """Return a session with timeouts and the connection's credentials.

        The connector keeps a session of its own; this one is for a person's own tasks.
        """
        settings = self.settings()
        session = Session(parallel=1, timeouts=Timeouts())
        self.base_url, self._base_url_initialized = settings.base_url, True
        session.auth = (settings.login, settings.password)
        session.headers.update(headers or {})
        return session

    def run(
        self,
        endpoint: str | None = None,
        data: dict[str, Any] | str | None = None,
        headers: dict[str, Any] | None = None,
        extra_options: dict[str, Any] | None = None,
        **request_kwargs: Any,
    ) -> requests.Response:
        """Send one request; a failure raises an error of `bothways.errors`, without URL or body."""
        with self.get_conn(headers, extra_options) as session, within(RetryPolicy().total_s):
            as_params = self.method in {"GET", "HEAD"}
            try:
                response = session.request(
                    self.method,
                    f"{self.base_url}/{(endpoint or '').lstrip('/')}",
                    params=data if as_params else None,
                    data=None if as_params else data,
                    **request_kwargs,
                )
            except RequestException as problem:
                failure = failure_of(problem)
            else:
                self.check_response(response)
                return response
        verdict = VerdictTable().of_failure(failure)
        raise verdict.error(FAILURE_MESSAGES[failure], vendor=self.hook_name)

    def check_response(self, response: requests.Response) -> None:
        """Raise for any status but 2xx; log nothing."""
        if response.status_code // 100 != 2:
            verdict = VerdictTable().of_status(response.status_code)
            raise verdict.error(
                "refused the request", vendor=self.hook_name, status=response.status_code
            )

    def test_connection(self) -> tuple[bool, str]:
        """Make the connector's cheapest read: what the Test button on the Connections page does."""
        try:
            connector = self.connector()
            try:
                return True, connector.check()
            finally:
                connector.close()
        except BothwaysError as error:
            return False, str(error)
        except Exception as error:  # noqa: BLE001 - its text may hold a secret: a button needs a sentence
            return False, f"{self.hook_name}: {type(error).__name__}; look at the connection."


def _url(host: str, scheme: str, port: int | None) -> str:
    url = host if "://" in host else f"{scheme}://{host}"
    if not port:
        return url
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.netloc}:{port}").geturl()
