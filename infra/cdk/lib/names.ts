// Names that more than one file needs, once.

import { fileURLToPath } from 'node:url';
import type { Stage } from './settings.ts';

/** The root of the repository. */
export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** The project's name: first part of every name in the account, and a tag. */
export const PROJECT = 'orderflow';

/** The database users that roles.sql creates, by the name of their secret. */
export const DATABASE_USERS = { app: 'orderflow_app', migrator: 'orderflow_migrator' } as const;

/** The namespace of metrics that come from log lines. */
export const METRIC_NAMESPACE = 'orderflow';

/** What the repository calls it, as AWS knows it: stages share an account without meeting. */
export function named(stage: Stage, name: string): string {
  return `${PROJECT}-${stage}-${name}`;
}
