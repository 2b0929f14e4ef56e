import pytest

from tests.services.apache import kafka_jars


@pytest.fixture
def without_java(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")


def test_without_java_apache_kafka_is_skipped_with_the_reason(
    without_java: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="Java is not installed"):
        kafka_jars()


def test_in_ci_apache_kafka_is_never_skipped(without_java: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="Java is not installed"):
        kafka_jars()
