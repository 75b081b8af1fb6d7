// The Lambda that creates the product's two database users: shared/order-store/roles.sql, run by the master user.
//
// Deploys invoke it before the first migration; running it again changes nothing but the passwords, which is also how
// they are rotated. JavaScript, because Lambda's Node.js brings the SDK along and nothing has to be built.

import { readFileSync } from 'node:fs';

/** Where roles.sql separates its statements. */
const SEPARATOR = '-- next statement';
/** What passes: a paused database takes 15 to 30 s to resume, a new permission some seconds to be known everywhere. */
const PASSING = ['DatabaseResumingException', 'AccessDeniedException'];
const ATTEMPTS_MAX = 12;
const WAIT_MS = 5_000;

/** The statements of roles.sql with the passwords in place of their names in double braces. */
export function statements(sql, passwords) {
  for (const [name, password] of Object.entries(passwords)) {
    if (!/^[A-Za-z0-9]{16,}$/.test(password)) {
      throw new Error(`the secret for ${name} must hold a password of 16 or more letters and digits`);
    }
  }
  return sql
    .split(SEPARATOR)
    .map((statement) => statement.replaceAll(/\{\{(\w+)\}\}/g, (_whole, name) => known(passwords, name)).trim())
    .filter((statement) => statement !== '');
}

function known(passwords, name) {
  const password = passwords[name];
  if (password === undefined) throw new Error(`roles.sql asks for ${name}, which nobody knows`);
  return password;
}

/** Sends one request by `execute`; waits and repeats while what stops it is passing. */
export async function patiently(execute, wait = (ms) => new Promise((done) => setTimeout(done, ms))) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await execute();
    } catch (error) {
      if (!PASSING.includes(error.name) || attempt >= ATTEMPTS_MAX) throw told(error);
      await wait(WAIT_MS);
    }
  }
}

/** The error without the statement: PostgreSQL may quote it, and it holds a password. */
function told(error) {
  const state = /SQLState: (\w{5})/.exec(error.message ?? '')?.[1];
  return new Error(`creating the database users failed: ${error.name}${state ? `, SQLSTATE ${state}` : ''}`);
}

/** Reads the secrets, runs the statements, answers how many. */
export async function handler() {
  const { RDSDataClient, ExecuteStatementCommand } = await import('@aws-sdk/client-rds-data');
  const { SecretsManagerClient, GetSecretValueCommand } = await import('@aws-sdk/client-secrets-manager');
  const { CLUSTER_ARN, MASTER_SECRET_ARN, APP_SECRET_ARN, MIGRATOR_SECRET_ARN, DATABASE } = process.env;
  const secrets = new SecretsManagerClient({});
  const password = async (SecretId) => {
    const { SecretString } = await patiently(() => secrets.send(new GetSecretValueCommand({ SecretId })));
    return JSON.parse(SecretString).password;
  };
  const passwords = {
    app_password: await password(APP_SECRET_ARN),
    migrator_password: await password(MIGRATOR_SECRET_ARN),
  };
  const sql = statements(readFileSync(new URL('roles.sql', import.meta.url), 'utf8'), passwords);
  const client = new RDSDataClient({});
  for (const statement of sql) {
    const request = { resourceArn: CLUSTER_ARN, secretArn: MASTER_SECRET_ARN, database: DATABASE, sql: statement };
    await patiently(() => client.send(new ExecuteStatementCommand(request)));
  }
  return { statements: sql.length };
}
