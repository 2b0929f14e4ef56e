pytest_plugins = ["tests.services.directories", "tests.services.postgres", "tests.services.broker"]
