// All tests in one process, so that each stage is synthesized once.

import './assets.test.ts';
import './cdn.test.ts';
import './checks.test.ts';
import './database-users.test.ts';
import './planted.test.ts';
import './snapshot.test.ts';
import './stateful.test.ts';
import './triggers.test.ts';
