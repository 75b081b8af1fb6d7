"""The blocks of infra/runbooks that are marked `tried`, run as an operator would, with the AWS command line.

Only names differ from what stands there: `orderflow-prod-orders` is `orders` on one machine, and where AWS is, says the
environment. Blocks without the mark need an AWS account.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from stack import CREDENTIALS, ENDPOINTS, INFO

RUNBOOKS = pathlib.Path(__file__).parents[2] / "infra" / "runbooks"
BLOCK = re.compile(r"^ *```(?P<language>\w+) tried\n(?P<body>.*?)^ *```$", re.DOTALL | re.MULTILINE)

# Pages and how many blocks of each are tried: none is added or lost unseen.
TRIED = {
    "README.md": {"text": 1},
    "captured-not-confirmed.md": {"sql": 1},
    "database-at-its-acu-limit.md": {"sql": 1},
    "events-unsent.md": {"sql": 1},
    "function-errors.md": {"text": 1},
    "payments-in-doubt.md": {"sql": 1},
    "payments-stopped.md": {"sql": 3},
    "schema-change.md": {"text": 1},
}


def blocks(page, language):
    """The bodies of a page's tried blocks."""
    text = (RUNBOOKS / page).read_text(encoding="utf-8")
    return [found["body"] for found in BLOCK.finditer(text) if found["language"] == language]


def shell(command, **variables):
    """Runs a block in a folder of its own; returns what it printed, and the answer that it wrote."""
    command = command.replace("orderflow-prod-", "")
    # Version 2 of the command line needs this, version 1 from PyPI does not know it.
    command = command.replace("--cli-binary-format raw-in-base64-out", "")
    environment = {
        "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}",
        "AWS_ACCESS_KEY_ID": CREDENTIALS["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": CREDENTIALS["aws_secret_access_key"],
        "AWS_DEFAULT_REGION": INFO["region"],
        "AWS_EC2_METADATA_DISABLED": "true",
        **{f"AWS_ENDPOINT_URL_{name.upper().replace('-', '_')}": url for name, url in ENDPOINTS.items()},
        **variables,
    }
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["bash", "-euc", command], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
        )
        answer = pathlib.Path(folder, "answer.json")
        return done, json.loads(answer.read_text(encoding="utf-8")) if answer.exists() else None


class Runbooks(unittest.TestCase):
    def run_block(self, command, **variables):
        done, answer = shell(command, **variables)
        self.assertEqual(done.returncode, 0, f"{command}\n{done.stdout}\n{done.stderr}")
        return json.loads(done.stdout or "null"), answer

    def sql(self, statement):
        """A statement, as README.md says to send one."""
        [command] = blocks("README.md", "text")
        command = command.replace("SELECT …", statement.strip().replace("'", "'\\''"))
        self.assertIn(statement.strip().split()[0], command)
        variables = {"CLUSTER": INFO["cluster_arn"], "SECRET": INFO["secrets"]["migrator"]}
        return self.run_block(command, **variables)[0]

    def test_every_tried_block_is_known_here(self):
        found = {}
        for page in sorted(RUNBOOKS.glob("*.md")):
            for block in BLOCK.finditer(page.read_text(encoding="utf-8")):
                counts = found.setdefault(page.name, {})
                counts[block["language"]] = counts.get(block["language"], 0) + 1
        self.assertEqual(found, TRIED)

    def test_payments_are_stopped_and_go_on(self):
        stop, go_on, look = blocks("payments-stopped.md", "sql")
        self.addCleanup(self.sql, go_on)
        for statement, enabled in ((stop, False), (go_on, True)):
            self.assertEqual(self.sql(statement)["numberOfRecordsUpdated"], 1)
            [[state, changed_at]] = self.sql(look)["records"]
            self.assertEqual(state, {"booleanValue": enabled})
            self.assertIn("stringValue", changed_at)

    def test_running_statements_are_listed(self):
        [look] = blocks("database-at-its-acu-limit.md", "sql")
        self.assertGreaterEqual(len(self.sql(look)["records"]), 1, "at least the statement that looks")

    def test_what_waits_or_must_not_be_is_looked_up(self):
        for page in ("captured-not-confirmed.md", "payments-in-doubt.md"):
            [look] = blocks(page, "sql")
            self.assertEqual(self.sql(look)["records"], [], "this stack is sound")
        [look] = blocks("events-unsent.md", "sql")
        self.assertIn("records", self.sql(look))

    def test_functions_are_invoked_by_hand(self):
        for page, expected in (("function-errors.md", dict), ("schema-change.md", dict)):
            [command] = blocks(page, "text")
            printed, answer = self.run_block(command)
            self.assertEqual(printed["StatusCode"], 200)
            self.assertNotIn("FunctionError", printed, answer)
            self.assertIsInstance(answer, expected)
            if page == "schema-change.md":
                self.assertEqual(answer["pending"], [], "this stack has all migrations")


if __name__ == "__main__":
    unittest.main()
