import json
import re

import pytest
import typer
import yaml

from collectors.site import read_site
from console.cli import make_app
from tests.console.compose import (
    REPOSITORY,
    MissingVariable,
    command_of,
    compose_file,
    interpolated,
    our_services,
    services,
    variables_demanded,
)

PACKAGES = ("ledger", "streams", "collectors", "projections", "migrations", "console")
SOURCE = "\n".join(path.read_text() for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py"))
PREPARING = {"migrate", "topics"}


def _metrics_in_the_code() -> set[str]:
    """Every metric as Prometheus would show it: counters end in _total, histograms in three ways."""
    kinds = re.findall(r'(Counter|Gauge\w*|Histogram|Waits|Summary|_gauge)\(\s*"(wattledger_\w+)"', SOURCE)
    histogram = ("_bucket", "_sum", "_count")
    endings = {
        "Counter": ("_total",),
        "Histogram": histogram,
        "Waits": histogram,
        "Summary": ("_sum", "_count"),
    }
    return {name.removesuffix("_total") + ending for kind, name in kinds for ending in endings.get(kind, ("",))}


def _ports_of(service: str) -> set[int]:
    return {int(str(port).rpartition(":")[2]) for port in services()[service].get("ports", [])}


@pytest.mark.parametrize("service", our_services())
def test_every_command_is_one_of_ours_with_options_that_exist(service: str) -> None:
    name, *arguments = command_of(service)
    group = typer.main.get_command(make_app())
    command = group.get_command(typer.Context(group), name)  # type: ignore[attr-defined]
    assert command is not None, f"there is no wattledger {name}"
    command.make_context(name, arguments)


@pytest.mark.parametrize("service", our_services())
def test_every_setting_exists_in_the_code(service: str) -> None:
    names = our_services()[service].get("environment", {})
    assert [name for name in names if not name.startswith("WATTLEDGER_") or f'"{name}"' not in SOURCE] == []


@pytest.mark.parametrize("service", services())
def test_every_file_and_volume_exists(service: str) -> None:
    for mount in services()[service].get("volumes", []):
        source = mount.split(":")[0]
        if source.startswith("."):
            assert (REPOSITORY / source).exists(), source
        else:
            assert source in compose_file()["volumes"]


@pytest.mark.parametrize("service", sorted(set(our_services()) - PREPARING - {"simulate"}))
def test_every_role_serves_metrics_where_prometheus_looks(service: str) -> None:
    port = services()[service]["environment"]["WATTLEDGER_METRICS_PORT"]
    scraped = yaml.safe_load((REPOSITORY / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    (found,) = next(job["dns_sd_configs"] for job in scraped if job["job_name"] == service)
    # Address records name every process of a role that is scaled out, where a static target would be one of them.
    assert (found["names"], found["type"], found["port"]) == ([service], "A", int(port))
    assert _ports_of(service) <= {int(port)}


@pytest.mark.parametrize("service", ["price", "project", "control"])
def test_a_role_can_be_scaled_out(service: str) -> None:
    # A name or a port of its own could be had by one process only.
    assert not {"container_name", "hostname", "ports"} & set(services()[service])
    assert "WATTLEDGER_KAFKA_INSTANCE" not in services()[service]["environment"]


def test_prometheus_looks_at_nobody_else() -> None:
    scraped = yaml.safe_load((REPOSITORY / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    assert {job["job_name"] for job in scraped} == set(our_services()) - PREPARING - {"simulate"}


def test_every_dependency_and_health_check_is_there() -> None:
    for service in services().values():
        wanted = service.get("depends_on", [])
        assert set(wanted) <= set(services())
        for name in wanted if isinstance(wanted, dict) else ():
            if wanted[name]["condition"] == "service_healthy":
                assert "healthcheck" in services()[name]


def test_every_secret_is_demanded_by_name_and_in_the_example() -> None:
    example = (REPOSITORY / "deploy/example.env").read_text()
    assert set(re.findall(r"^(\w+)=$", example, flags=re.MULTILINE)) == variables_demanded()
    with pytest.raises(MissingVariable, match="for price"):
        interpolated("${WATTLEDGER_WRITER_PASSWORD:?for price}", {})


def test_no_role_but_control_can_sign_and_no_edge_role_reaches_the_database() -> None:
    holders = {
        name for name, service in services().items() if "WATTLEDGER_SIGNING_KEY" in service.get("environment", {})
    }
    assert holders == {"control"}
    assert "WATTLEDGER_DATABASE_URL" not in services()["collect"]["environment"]


def test_the_dashboard_shows_metrics_that_exist() -> None:
    dashboard = json.loads((REPOSITORY / "deploy/grafana/dashboards/wattledger.json").read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    shown = set(re.findall(r"wattledger_\w+", " ".join(expressions)))
    assert shown - _metrics_in_the_code() == set()
    assert shown


def test_alerts_are_mounted_and_look_at_metrics_that_exist() -> None:
    prometheus = yaml.safe_load((REPOSITORY / "deploy/prometheus/prometheus.yml").read_text())
    mounts = dict(mount.split(":")[:2] for mount in services()["prometheus"]["volumes"])
    assert {f"/etc/prometheus/{file}" for file in prometheus["rule_files"]} <= set(mounts.values())
    groups = yaml.safe_load((REPOSITORY / "deploy/prometheus/alerts.yml").read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    for rule in rules:
        assert set(re.findall(r"wattledger_\w+", rule["expr"])) <= _metrics_in_the_code(), rule["alert"]
        assert rule["annotations"]["summary"].endswith(".")
    assert rules


def test_what_several_workers_tell_is_taken_together() -> None:
    dashboard = json.loads((REPOSITORY / "deploy/grafana/dashboards/wattledger.json").read_text())
    groups = yaml.safe_load((REPOSITORY / "deploy/prometheus/alerts.yml").read_text())["groups"]
    shown = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    alerts = [rule["expr"] for group in groups for rule in group["rules"]]
    workers = set(re.findall(r'"(wattledger_\w+)"', (REPOSITORY / "streams/metrics.py").read_text()))
    # One worker's share of the partitions is a figure of its own.
    told = [expr for expr in shown if expr != "wattledger_partitions_assigned"] + alerts
    for expr in (expr for expr in told if any(name in expr for name in workers)):
        assert re.match(r"(time\(\) - )?(sum|max|absent|histogram_quantile)\b", expr), expr
    assert any("wattledger_partitions_assigned" in expr for expr in alerts)


def test_grafana_finds_its_source_and_its_dashboards() -> None:
    provisioning = REPOSITORY / "deploy/grafana/provisioning"
    source = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text())["datasources"][0]
    assert source["url"] == "http://prometheus:9090"
    path = yaml.safe_load((provisioning / "dashboards/wattledger.yml").read_text())["providers"][0]["options"]["path"]
    mounts = dict(mount.split(":")[:2] for mount in services()["grafana"]["volumes"])
    assert (REPOSITORY / {there: here for here, there in mounts.items()}[path] / "wattledger.json").exists()


def test_the_example_site_is_read_by_the_collector_and_names_the_simulator() -> None:
    site = read_site(REPOSITORY / "deploy/site.example.toml")
    assert {concentrator.line.place for concentrator in site.concentrators} == {"simulate:5020"}


def test_the_image_carries_every_package() -> None:
    text = (REPOSITORY / "Dockerfile").read_text()
    for package in PACKAGES:
        assert f"COPY {package} {package}\n" in text
        assert f"!{package}\n" in (REPOSITORY / ".dockerignore").read_text()
