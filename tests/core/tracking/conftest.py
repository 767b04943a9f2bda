import shutil

import pytest


def database(folder):
    """An absolute address, as MLflow keeps what it opened under the address that it was given."""
    return f"sqlite:///{folder / 'mlflow.db'}"


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    """A database with MLflow's tables, which take seconds to make."""
    from mlflow.tracking import MlflowClient

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A workspace whose stages keep a record."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database(tmp_path))
    for name in ("TAILGATE_SWEEP", "TAILGATE_TRACKING"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def client(place, empty_database):
    """MLflow, where the stages of the workspace keep their record."""
    from mlflow.tracking import MlflowClient

    shutil.copy(empty_database, place / "mlflow.db")
    return MlflowClient(database(place))
