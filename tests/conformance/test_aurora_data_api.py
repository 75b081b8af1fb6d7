"""The tests inside the aurora-data-api package, which were written against real Aurora, run here unchanged.

The wheel of that package has no tests, so its source distribution is fetched once into the checkout's private folder.
Of its tests one is skipped by its authors, and one takes two statements of 50 s: set TEST_CONTINUE_AFTER_TIMEOUT=True
to run it. PostgreSQL from the wheels has no uuid-ossp, which the tests create and never use: only then that one
statement is left out.
"""

import hashlib
import importlib.util
import logging
import os
import pathlib
import subprocess
import sys
import tarfile
import unittest

import aurora_data_api

from stack import CREDENTIALS, INFO, client

PACKAGE = "aurora-data-api==0.5.0"
SHA256 = "27db80b7ba2f4e8c0e9b8b5e4fd4d1a14bc0442f8db367812954e6f4eae09eed"
PRIVATE = pathlib.Path(__file__).resolve().parents[2] / ".orderflow" / "aurora-data-api"
EXTENSION = 'CREATE EXTENSION IF NOT EXISTS "uuid-ossp"'
ACCESS = {"resourceArn": INFO["cluster_arn"], "secretArn": INFO["secrets"]["migrator"], "database": INFO["database"]}

# What the package reads when it connects.
os.environ.update(
    AURORA_CLUSTER_ARN=ACCESS["resourceArn"],
    AURORA_SECRET_ARN=ACCESS["secretArn"],
    AURORA_DB_NAME=ACCESS["database"],
    AWS_ACCESS_KEY_ID=CREDENTIALS["aws_access_key_id"],
    AWS_SECRET_ACCESS_KEY=CREDENTIALS["aws_secret_access_key"],
    AWS_DEFAULT_REGION=INFO["region"],
    AWS_ENDPOINT_URL_RDS_DATA=INFO["data_api_url"],
)


def load_tests(loader, _tests, _pattern):
    """unittest's own hook: the tests of this module are those of the package."""
    leave_out_the_missing_extension()
    spec = importlib.util.spec_from_file_location("aurora_data_api_tests", source() / "test" / "test.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    # The module has every request of 2,000 rows logged.
    logging.disable(logging.INFO)
    return loader.loadTestsFromModule(module)


def source():
    """The unpacked source distribution."""
    found = list(PRIVATE.glob("aurora?data?api-*/test/test.py"))
    if not found:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--no-deps", "--no-binary", ":all:", "--dest", PRIVATE, PACKAGE], check=True)
        (archive,) = PRIVATE.glob("*.tar.gz")
        if hashlib.sha256(archive.read_bytes()).hexdigest() != SHA256:
            raise RuntimeError(f"{archive.name} is not the file whose tests are trusted")
        with tarfile.open(archive) as tar:
            tar.extractall(PRIVATE, filter="data")
        found = list(PRIVATE.glob("aurora?data?api-*/test/test.py"))
    return found[0].parents[1]


def leave_out_the_missing_extension():
    sql = "SELECT count(*) FROM pg_available_extensions WHERE name = 'uuid-ossp'"
    if client("rds-data").execute_statement(**ACCESS, sql=sql)["records"][0][0]["longValue"]:
        return
    execute = aurora_data_api.AuroraDataAPICursor.execute

    def execute_but_one(self, operation, parameters=None):
        return None if operation == EXTENSION else execute(self, operation, parameters)

    aurora_data_api.AuroraDataAPICursor.execute = execute_but_one


if __name__ == "__main__":
    unittest.main()
